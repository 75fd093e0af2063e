"""Deterministic CBOR (RFC 8949 section 4.2.1), the small part that COSE needs, strict both ways.

Integers, byte strings, text strings, arrays, maps with integer or text keys, tag 18, booleans, null. The decoder
accepts only what the encoder would have written: shortest lengths, sorted unique keys, definite lengths, nothing after
the item.
"""

import struct
from dataclasses import dataclass
from typing import Final

from ..model.errors import EncodingError

_MAX_NESTING: Final = 8
_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_HEADS: Final = tuple(
    (1 << bits, code, struct.Struct(f">B{letter}").pack)
    for bits, code, letter in ((16, 25, "H"), (32, 26, "I"), (64, 27, "Q"))
)
_SIMPLE_VALUES: Final[dict[int, bool | None]] = {20: False, 21: True, 22: None}
_SIMPLE_BYTES: Final = {False: b"\xf4", True: b"\xf5", None: b"\xf6"}


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged item."""

    number: int
    value: "Cbor"


Cbor = int | bytes | str | bool | list["Cbor"] | dict[int | str, "Cbor"] | Tag | None


def head(major: int, argument: int) -> bytes:
    """Return the shortest head of an item of ``major`` type."""
    first = major << 5
    if argument < 24:
        return bytes((first | argument,))
    if argument < 256:  # a statement's header and its digest
        return bytes((first | 24, argument))
    for limit, code, pack in _HEADS:
        if argument < limit:
            return pack(first | code, argument)
    raise EncodingError("integer does not fit CBOR's 64 bits")


def encode(value: Cbor) -> bytes:
    """Return the deterministic bytes of ``value``.

    Raises:
        EncodingError: a value has no place in the subset.
    """
    if value is None or isinstance(value, bool):
        return _SIMPLE_BYTES[value]
    if isinstance(value, int):
        return head(_UINT, value) if value >= 0 else head(_NINT, -1 - value)
    if isinstance(value, bytes):
        return head(_BYTES, len(value)) + value
    if isinstance(value, str):
        return _encode_text(value)
    if isinstance(value, list):
        return head(_ARRAY, len(value)) + b"".join(encode(item) for item in value)
    if isinstance(value, dict):
        pairs = sorted((encode(key), encode(item)) for key, item in value.items())
        return head(_MAP, len(pairs)) + b"".join(key + item for key, item in pairs)
    if isinstance(value, Tag):
        return head(_TAG, value.number) + encode(value.value)
    raise EncodingError(f"a value of type `{type(value).__name__}` has no place in our CBOR")


def _encode_text(value: str) -> bytes:
    try:
        text = value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise EncodingError("text has a lone surrogate") from error
    return head(_TEXT, len(text)) + text


def decode(data: bytes, *, ordered: bool = True) -> Cbor:
    """Return the one item that ``data`` holds.

    ``ordered=False`` takes map keys in any order, for documents of others; all other rules stay.

    Raises:
        EncodingError: not deterministic CBOR of the subset, too deep, or bytes follow the item.
    """
    value, end = _item(data, 0, 1, ordered)
    if end != len(data):
        raise EncodingError(f"{len(data) - end} bytes follow the CBOR item")
    return value


def _item(data: bytes, at: int, depth: int, ordered: bool) -> tuple[Cbor, int]:  # noqa: FBT001  # private, passed down
    if depth > _MAX_NESTING:
        raise EncodingError(f"CBOR is nested deeper than {_MAX_NESTING}")
    major, argument, at = _head(data, at)
    if major == _UINT:
        return argument, at
    if major == _NINT:
        return -1 - argument, at
    if major in (_BYTES, _TEXT):
        return _string(data, at, argument, text=major == _TEXT)
    if major == _ARRAY:
        return _array(data, at, argument, depth, ordered)
    if major == _MAP:
        return _map(data, at, argument, depth, ordered)
    if major == _TAG:
        value, at = _item(data, at, depth + 1, ordered)
        return Tag(argument, value), at
    if argument not in _SIMPLE_VALUES or argument >= 24:
        raise EncodingError("CBOR has a float or an unassigned simple value")
    return _SIMPLE_VALUES[argument], at


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    if at >= len(data):
        raise EncodingError("CBOR ends too early")
    major, code = data[at] >> 5, data[at] & 0x1F
    at += 1
    if code < 24:
        return major, code, at
    if code > 27:
        raise EncodingError("CBOR has an indefinite or reserved length")
    size = 1 << (code - 24)
    argument = int.from_bytes(data[at : at + size], "big")
    if at + size > len(data):
        raise EncodingError("CBOR ends too early")
    shortest = 24 if size == 1 else 1 << (size * 4)
    if argument < shortest or major == _SIMPLE:
        raise EncodingError("CBOR has a number that is not in its shortest form")
    return major, argument, at + size


def _string(data: bytes, at: int, length: int, *, text: bool) -> tuple[str | bytes, int]:
    raw = data[at : at + length]
    if len(raw) != length:
        raise EncodingError("CBOR ends too early")
    if not text:
        return raw, at + length
    try:
        return raw.decode("utf-8"), at + length
    except UnicodeDecodeError as error:
        raise EncodingError("CBOR text is not UTF-8") from error


def _array(data: bytes, at: int, length: int, depth: int, ordered: bool) -> tuple[list[Cbor], int]:  # noqa: FBT001  # private, passed down
    if length > len(data) - at:
        raise EncodingError("CBOR ends too early")
    items: list[Cbor] = []
    for _ in range(length):
        item, at = _item(data, at, depth + 1, ordered)
        items.append(item)
    return items, at


def _map(data: bytes, at: int, length: int, depth: int, ordered: bool) -> tuple[dict[int | str, Cbor], int]:  # noqa: FBT001  # private, passed down
    if length > len(data) - at:
        raise EncodingError("CBOR ends too early")
    result: dict[int | str, Cbor] = {}
    previous = b""
    for _ in range(length):
        start = at
        key, at = _item(data, at, depth + 1, ordered)
        raw_key = data[start:at]
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise EncodingError("CBOR map key is neither integer nor text")
        if key in result or (ordered and raw_key <= previous):
            raise EncodingError("CBOR map keys are out of order or appear twice")
        previous = raw_key
        result[key], at = _item(data, at, depth + 1, ordered)
    return result, at
