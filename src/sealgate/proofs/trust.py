"""``trust.json``: the only thing a verifier trusts. Strict canonical JSON and one newline.

It comes to the verifier by a way that the log does not control. Everything else, also the copy that lies beside a log,
is material to be checked against it.
"""

import base64
import re
from dataclasses import dataclass
from typing import Final

from ..encoding import canonical
from ..encoding.statement import key_id
from ..model.errors import EncodingError
from . import notes
from .keys import require_public_key
from .notes import VerifierKey

FORMAT: Final = "sealgate-trust/v1"
MAX_BYTES: Final = 256 * 1024
_MAX_KEYS: Final = 1024
_MEMBERS: Final = {
    "format",
    "log",
    "origin",
    "quorum",
    "receipt_key",
    "root_key",
    "statement_keys",
    "timestamp_roots",
    "witnesses",
}
_FORMER: Final = "former_receipt_keys"
"""Only in the file once a receipt key was replaced, so that a file of before keeps its one spelling."""

_FORMER_MEMBERS: Final = {"kid", "public_key", "revoked", "to_index"}
_KEY_MEMBERS: Final = {"from_index", "kid", "public_key", "to_index"}
_PEM: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/=]{1,64}\n)+-----END CERTIFICATE-----\n?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class StatementKey:
    """A key that may sign the statements from ``from_index`` up to and without ``to_index`` (None: no end)."""

    public_key: bytes
    from_index: int
    to_index: int | None = None

    @property
    def kid(self) -> bytes:
        """The key's identifier in statements."""
        return key_id(self.public_key)

    def covers(self, index: int) -> bool:
        """Tell whether the key may sign the statement at ``index``."""
        return self.from_index <= index and (self.to_index is None or index < self.to_index)


@dataclass(frozen=True, slots=True)
class FormerReceiptKey:
    """A replaced receipt key: it may have signed tree heads of at most ``to_index`` records (None: not ended yet).

    What a revoked one signed proves nothing, whatever size it names: a receipt has no other signature than this one.
    """

    public_key: bytes
    to_index: int | None = None
    revoked: bool = False

    @property
    def kid(self) -> bytes:
        """The key's identifier in receipts."""
        return key_id(self.public_key)

    def covers(self, size: int) -> bool:
        """Tell whether the key may have signed a tree head of ``size`` records."""
        return self.to_index is None or size <= self.to_index


@dataclass(frozen=True, slots=True)
class Trust:
    """Keys, names and quorum of one log, as its verifier was told them."""

    origin: str
    log: VerifierKey
    root_key: bytes
    receipt_key: bytes
    statement_keys: tuple[StatementKey, ...]
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int = 0
    timestamp_roots: tuple[str, ...] = ()
    former_receipt_keys: tuple[FormerReceiptKey, ...] = ()

    def receipt_keys(self) -> tuple[FormerReceiptKey, ...]:
        """Return the receipt key in use, then those that it replaced."""
        return (FormerReceiptKey(self.receipt_key), *self.former_receipt_keys)

    def statement_key(self, kid: bytes, index: int) -> StatementKey | None:
        """Return the key of ``kid`` that may sign at ``index``, or None."""
        for key in self.statement_keys:
            if key.kid == kid and key.covers(index):
                return key
        return None


def encode(trust: Trust) -> bytes:
    """Return the file's bytes."""
    keys: list[canonical.Json] = [
        {
            "from_index": key.from_index,
            "kid": key.kid.hex(),
            "public_key": _base64(key.public_key),
            "to_index": key.to_index,
        }
        for key in trust.statement_keys
    ]
    value: dict[str, canonical.Json] = {
        "format": FORMAT,
        "log": trust.log.encode(),
        "origin": trust.origin,
        "quorum": trust.quorum,
        "receipt_key": _base64(trust.receipt_key),
        "root_key": _base64(trust.root_key),
        "statement_keys": keys,
        "timestamp_roots": list(trust.timestamp_roots),
        "witnesses": [key.encode() for key in trust.witnesses],
    }
    if trust.former_receipt_keys:
        value[_FORMER] = [
            {
                "kid": key.kid.hex(),
                "public_key": _base64(key.public_key),
                "revoked": key.revoked,
                "to_index": key.to_index,
            }
            for key in trust.former_receipt_keys
        ]
    return canonical.encode(value, max_bytes=MAX_BYTES) + b"\n"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def parse(data: bytes) -> Trust:
    """Return what the file trusts.

    Raises:
        EncodingError: not exactly the form that ``encode`` writes, a weak key, a quorum that cannot be met.
    """
    if not data.endswith(b"\n"):
        raise EncodingError("trust file does not end in a newline")
    value = canonical.decode(data[:-1], max_bytes=MAX_BYTES)
    if not isinstance(value, dict) or set(value) - {_FORMER} != _MEMBERS or value["format"] != FORMAT:
        raise EncodingError(f"not a trust file of format `{FORMAT}`")
    origin, quorum, witnesses = value["origin"], value["quorum"], value["witnesses"]
    if not isinstance(origin, str) or not isinstance(quorum, int) or isinstance(quorum, bool):
        raise EncodingError("trust file's origin or quorum has the wrong type")
    log = _log_key(_text(value["log"], "log"), origin)
    witness_keys = tuple(_witness_key(item) for item in _texts(witnesses, "witnesses"))
    distinct = {key.public_key for key in witness_keys} | {log.public_key}
    if len(distinct) != len(witness_keys) + 1:
        raise EncodingError("trust file names one key twice among log and witnesses")
    if not 0 <= quorum <= len(witness_keys):
        raise EncodingError(f"trust file asks for {quorum} of {len(witness_keys)} witnesses")
    return Trust(
        origin=origin,
        log=log,
        root_key=_public_key(value["root_key"], "root_key"),
        receipt_key=_public_key(value["receipt_key"], "receipt_key"),
        statement_keys=_statement_keys(value["statement_keys"]),
        witnesses=witness_keys,
        quorum=quorum,
        timestamp_roots=tuple(_pem(item) for item in _texts(value["timestamp_roots"], "timestamp_roots")),
        former_receipt_keys=_former_keys(value[_FORMER]) if _FORMER in value else (),
    )


def _text(value: canonical.Json, what: str) -> str:
    if not isinstance(value, str):
        raise EncodingError(f"trust file's `{what}` is not text")
    return value


def _texts(value: canonical.Json, what: str) -> list[str]:
    if not isinstance(value, list) or len(value) > _MAX_KEYS:
        raise EncodingError(f"trust file's `{what}` is not a list, or too long")
    return [_text(item, what) for item in value]


def _log_key(text: str, origin: str) -> VerifierKey:
    key = notes.parse_vkey(text)
    if key.type != notes.ED25519 or key.name != origin:
        raise EncodingError("trust file's log key is not an Ed25519 note key named as the origin")
    return key


def _witness_key(text: str) -> VerifierKey:
    key = notes.parse_vkey(text)
    if key.type not in (notes.COSIGNATURE_ED25519, notes.COSIGNATURE_ML_DSA_44):
        raise EncodingError(f"trust file's witness `{key.name}` is not a cosignature key")
    return key


def _public_key(value: canonical.Json, what: str) -> bytes:
    return require_public_key(notes.decode_base64(_text(value, what), what), what)


def _pem(text: str) -> str:
    if not _PEM.fullmatch(text):
        raise EncodingError("trust file's timestamp root is not one PEM certificate")
    return text


def _statement_keys(value: canonical.Json) -> tuple[StatementKey, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= _MAX_KEYS:
        raise EncodingError("trust file's `statement_keys` is not a list of one or more")
    return tuple(_statement_key(item) for item in value)


def _statement_key(value: canonical.Json) -> StatementKey:
    if not isinstance(value, dict) or set(value) != _KEY_MEMBERS:
        raise EncodingError("trust file has a malformed statement key")
    first, end = value["from_index"], value["to_index"]
    if not _is_index(first) or not (end is None or _is_index(end)):
        raise EncodingError("trust file's statement key has a malformed range")
    assert isinstance(first, int)  # noqa: S101  # _is_index said so
    assert end is None or isinstance(end, int)  # noqa: S101
    key = StatementKey(_public_key(value["public_key"], "statement key"), first, end)
    if key.kid.hex() != value["kid"] or (end is not None and end < first):
        raise EncodingError("trust file's statement key does not fit its key id or range")
    return key


def _is_index(value: object) -> bool:
    return type(value) is int and value >= 0


def _former_keys(value: canonical.Json) -> tuple[FormerReceiptKey, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= _MAX_KEYS:
        raise EncodingError(f"trust file's `{_FORMER}` is not a list of one or more")
    return tuple(_former_key(item) for item in value)


def _former_key(value: canonical.Json) -> FormerReceiptKey:
    if not isinstance(value, dict) or set(value) != _FORMER_MEMBERS or not isinstance(value["revoked"], bool):
        raise EncodingError("trust file has a malformed former receipt key")
    end = value["to_index"]
    if not (end is None or _is_index(end)):
        raise EncodingError("trust file's former receipt key has a malformed end")
    assert end is None or isinstance(end, int)  # noqa: S101  # _is_index said so
    key = FormerReceiptKey(_public_key(value["public_key"], "receipt key"), end, value["revoked"])
    if key.kid.hex() != value["kid"]:
        raise EncodingError("trust file's former receipt key does not fit its key id")
    return key
