"""Canonical JSON: RFC 8785 under two profiles, and the strict parser for JSON from outside.

*Records* (``encode``, ``decode``) are bodies that we hash: keys ``[a-z][a-z0-9_]{0,63}``, no floats, integers within
±(2^53-1), at most 16 levels and 32 KiB. Within this profile a sorted compact dump equals RFC 8785 byte for byte,
because ASCII keys sort alike in UTF-8 and UTF-16 and no number needs ECMAScript's formatting.

*Arguments* (``encode_arguments``) are what a tool will be called with: any string keys, floats as ECMAScript writes
them. Only their digest is kept.

``parse`` reads JSON from outside: duplicate keys, lone surrogates, NaN, infinities, over-deep and over-long input are
refused, because two readers could understand them differently.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Final, NoReturn

import orjson
import rfc8785

from ..model.errors import EncodingError
from ..model.limits import MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES, MAX_DEPTH, MAX_REQUEST_BYTES, MAX_SAFE_INTEGER

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
"""A JSON value. Where floats are refused, the function says so."""

BATCH_KIND: Final = "records.captured"
"""The one kind whose bodies may be as long as MAX_BATCH_BODY_BYTES."""

_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_MAX_CACHED_KEYS: Final = 4096
_known_keys: set[str] = set()  # a cache of keys that matched _KEY, bounded; never consulted for anything else


def encode(value: Json, *, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Return the canonical bytes of a record body or other object that we hash.

    Raises:
        EncodingError: a value is outside the strict profile (see the module).
    """
    _check_record(value, 1)
    return encode_own(value, max_bytes=max_bytes)


def encode_own(value: Json, *, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Return what ``encode`` returns, for a value whose keys and numbers our own code wrote; only strings are foreign.

    Such a value cannot leave the profile but by its length or by a lone surrogate, and both are still refused. Half the
    cost of ``encode`` is the walk that this leaves out; tests hold every body made this way against ``decode``.

    Raises:
        EncodingError: too long, or a string is not valid Unicode.
    """
    try:
        data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise EncodingError(f"value cannot be encoded: {error}", hint="strings must be valid Unicode") from error
    if len(data) > max_bytes:
        raise EncodingError(f"canonical form has {len(data)} bytes", hint=f"at most {max_bytes} are allowed")
    return data


def decode(data: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> Json:
    """Return the value whose canonical bytes are exactly ``data``.

    Parsing and writing again must give the same bytes. That alone refuses duplicate keys, white space, other escapes,
    other orders, byte order marks and lone surrogates.

    Raises:
        EncodingError: ``data`` is not canonical or outside the profile.
    """
    if len(data) > max_bytes:
        raise EncodingError(f"input has {len(data)} bytes", hint=f"at most {max_bytes} are allowed")
    try:
        value: Json = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise EncodingError(f"not JSON: {error}") from error
    _check_record(value, 1)
    if orjson.dumps(value, option=orjson.OPT_SORT_KEYS) != data:
        raise EncodingError("JSON is not in canonical form", hint="write it as RFC 8785 asks")
    return value


def decode_body(data: bytes) -> Json:
    """Return the record whose canonical bytes are exactly ``data``; only a batch record may be longer than 32 KiB.

    Raises:
        EncodingError: ``data`` is not canonical, outside the profile or too long for its kind.
    """
    value = decode(data, max_bytes=MAX_BATCH_BODY_BYTES)
    if len(data) > MAX_BODY_BYTES and not (isinstance(value, dict) and value.get("kind") == BATCH_KIND):
        raise EncodingError(f"input has {len(data)} bytes", hint=f"at most {MAX_BODY_BYTES} are allowed in this kind")
    return value


def _check_record(value: Json, depth: int) -> None:
    if isinstance(value, dict):
        _check_depth_now(depth)
        for key, item in value.items():
            if key not in _known_keys:
                _check_key(key)
            if type(item) is not str and item is not None:  # most members are
                _check_record(item, depth + 1)
    elif isinstance(value, list):
        _check_depth_now(depth)
        for item in value:
            if type(item) is not str:
                _check_record(item, depth + 1)
    else:
        _check_scalar(value)


def _check_depth_now(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise EncodingError(f"nesting is deeper than {MAX_DEPTH}")


def _check_scalar(value: object) -> None:
    kind = type(value)
    if kind is int:
        if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:  # type: ignore[operator]  # kind is int here
            raise EncodingError("integer is beyond ±(2^53-1)", hint="send it as a decimal string")
    elif kind is float:
        raise EncodingError("floats are not allowed here", hint="use a scaled integer or a decimal string")
    elif kind is not str and kind is not bool and value is not None:
        raise EncodingError(f"a value of type `{kind.__name__}` is not JSON")


def _check_key(key: object) -> None:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise EncodingError(f"key `{str(key)[:80]}` is not allowed", hint="keys match [a-z][a-z0-9_]{0,63}")
    if len(_known_keys) < _MAX_CACHED_KEYS:
        _known_keys.add(key)


def encode_arguments(value: Json, *, max_bytes: int = MAX_REQUEST_BYTES, max_depth: int = MAX_DEPTH) -> bytes:
    """Return the RFC 8785 bytes of a tool's arguments: any string keys, finite floats, integers within ±(2^53-1).

    A policy bundle, which holds tools' own schemas, has the same form and is deeper.

    Raises:
        EncodingError: the value is not I-JSON (RFC 7493), too deep or too long.
    """
    if is_plain(value, depth=1 + MAX_DEPTH - max_depth):  # the check counts up to MAX_DEPTH
        data = _dump_plain(value)
    else:
        try:
            data = rfc8785.dumps(value)
        except (rfc8785.CanonicalizationError, UnicodeError) as error:
            raise EncodingError(f"arguments cannot be made canonical: {error}") from error
    if len(data) > max_bytes:
        raise EncodingError(f"arguments have {len(data)} bytes", hint=f"at most {max_bytes} are allowed")
    return data


def _dump_plain(value: Json) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise EncodingError(f"arguments cannot be made canonical: {error}") from error


_CONTAINERS: Final = frozenset({dict, list})  # asked first: it costs a fifth of an `isinstance` with a union


def is_plain(value: object, *, depth: int = 1) -> bool:
    """Tell whether a sorted compact dump equals RFC 8785; refuse what neither form allows.

    ``depth`` is the level that the value stands on. Every captured item goes through here, so what is usual costs one
    look at its type, and keys are looked at together.

    Raises:
        EncodingError: the value is not I-JSON, or too deep.
    """
    if isinstance(value, dict):
        _check_depth_now(depth)
        try:
            plain = "".join(value).isascii()
        except TypeError:
            key = next(key for key in value if not isinstance(key, str))
            raise EncodingError(f"key `{key!r:.80}` is not a string") from None
        members: Iterable[object] = value.values()
    elif isinstance(value, list):
        _check_depth_now(depth)
        plain, members = True, value
    else:
        plain, members = True, (value,)
    for item in members:
        if item is None:
            continue
        kind = type(item)
        if kind is str or kind is bool:
            continue
        if kind in _CONTAINERS or isinstance(item, dict | list):
            if not is_plain(item, depth=depth + 1):
                plain = False
        elif kind is float:
            plain = plain and _is_plain_float(item)  # type: ignore[arg-type]  # kind is float here
        else:
            _check_scalar(item)
    return plain


def _is_plain_float(number: float) -> bool:
    """Tell whether the shortest digits are written alike by all: with a fraction, and without an exponent."""
    return 1e-4 <= abs(number) < 1e15 and not number.is_integer()


def parse(data: bytes, *, max_bytes: int = MAX_REQUEST_BYTES, max_depth: int = MAX_DEPTH) -> Json:
    """Return the JSON value of bytes from outside, strictly (RFC 8259, I-JSON's constraints).

    Raises:
        EncodingError: not UTF-8 JSON, duplicate key, lone surrogate, non-finite or unsafe number, too deep, too long.
    """
    if len(data) > max_bytes:
        raise EncodingError(f"input has {len(data)} bytes", hint=f"at most {max_bytes} are allowed")
    if data.count(b"[") + data.count(b"{") > max_depth:
        _check_depth(data, max_depth)
    try:
        value: Json = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise EncodingError(f"not JSON: {error}") from error
    # The usual client sends compact JSON; then equality proves that no key came twice, in whatever order they are.
    try:
        same = orjson.dumps(value) == data
    except orjson.JSONEncodeError:
        same = False
    if not same or _has_long_number(data):
        value = _parse_slowly(data)
    return value


_DIGITS_AS_ZERO: Final = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER: Final = b"0" * 16  # 2^53 has 16 digits


_BEFORE_NUMBER: Final = (b":", b",", b"[", b"-")


def _has_long_number(data: bytes) -> bool:
    """Tell whether compact JSON may hold an integer of 16 digits or more; one inside a string mostly does not count."""
    zeros = data.translate(_DIGITS_AS_ZERO)  # eight times faster than a pattern search
    if _LONG_NUMBER not in zeros:
        return False
    return zeros.startswith(_LONG_NUMBER) or any(before + _LONG_NUMBER in zeros for before in _BEFORE_NUMBER)


def _parse_slowly(data: bytes) -> Json:
    try:
        text = data.decode("utf-8")
        value: Json = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite, parse_int=_safe_integer
        )
        text_of_value = json.dumps(value, ensure_ascii=False)
        text_of_value.encode("utf-8")  # a lone surrogate from an escape cannot be encoded
    except EncodingError:
        raise
    except (ValueError, RecursionError) as error:
        raise EncodingError(f"not JSON: {error}") from error
    return value


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add returns None
        raise EncodingError(f"key `{twice[:80]}` appears twice", hint="send each key once")
    return result


def refuse_repeated_keys(data: bytes, value: Json) -> None:
    """Refuse JSON in which a key comes twice in one object; ``value`` is what a parser made of ``data``.

    Raises:
        EncodingError: says which key, or that it is nested too deeply to be looked at.
    """
    try:
        if orjson.dumps(value) == data:  # compact JSON, as most clients write it: equality proves it
            return
    except orjson.JSONEncodeError:
        pass
    try:
        json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise EncodingError(f"not JSON: {error}") from error


def _refuse(constant: str) -> NoReturn:
    raise EncodingError(f"number `{constant}` is not finite")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise EncodingError(f"number `{text[:40]}` is not finite")
    return number


def _safe_integer(text: str) -> int:
    if len(text) > len(str(-MAX_SAFE_INTEGER)) or not -MAX_SAFE_INTEGER <= int(text) <= MAX_SAFE_INTEGER:
        raise EncodingError(f"integer `{text[:40]}` is beyond ±(2^53-1)", hint="send it as a string")
    return int(text)


def _check_depth(data: bytes, max_depth: int) -> None:
    depth = 0
    in_string = escaped = False
    for byte in data:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in (0x5B, 0x7B):
            depth += 1
            if depth > max_depth:
                raise EncodingError(f"nesting is deeper than {max_depth}")
        elif byte in (0x5D, 0x7D):
            depth -= 1


def sha256(data: bytes) -> bytes:
    """Return SHA-256 of ``data``, 32 bytes."""
    return hashlib.sha256(data).digest()


_IPAD: Final = bytes(byte ^ 0x36 for byte in range(256))
_OPAD: Final = bytes(byte ^ 0x5C for byte in range(256))
_BLOCK_BYTES: Final = 64


def salted_digest(salt: bytes, digest: bytes) -> bytes:
    """Return HMAC-SHA256(salt, digest): what a record keeps of an input or output, so that guessing needs the salt.

    RFC 2104 written out, for salts of at most 64 bytes: the library's one-shot call gives up the interpreter lock each
    time, which costs a busy authority more than the hash. Equal to it by test.
    """
    if len(salt) > _BLOCK_BYTES:
        raise EncodingError(f"salt has {len(salt)} bytes", hint=f"at most {_BLOCK_BYTES} are allowed")
    key = salt.ljust(_BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(key.translate(_IPAD) + digest).digest()
    return hashlib.sha256(key.translate(_OPAD) + inner).digest()
