"""Which key may sign at which index: the log's own key events, each endorsed by the root key.

The root key signs the *claims* of an event, not its whole body::

    genesis       kind origin authority_id log_key root_key statement_key receipt_key predecessor
    key.added, key.retired, key.revoked
                  kind origin key_id purpose algorithm public_key

``root_signature`` is Ed25519 over their canonical JSON. Record id, time and salt come from the authority when it
appends, so that a root key that is kept offline can endorse an event beforehand (ADR 0050). Replaying an endorsement
gains nothing: it names the log, and a key that was retired or revoked can never be added again.

An event takes effect at its own index: a retired or revoked key may not sign the statement of its own retirement. Pure.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from ..encoding import canonical
from ..encoding.statement import key_id
from ..model.errors import AlteredError, EncodingError
from .keys import is_signed, require_public_key
from .notes import decode_base64, parse_vkey
from .trust import StatementKey

GENESIS: Final = "genesis"
ADDED: Final = "key.added"
RETIRED: Final = "key.retired"
REVOKED: Final = "key.revoked"
KINDS: Final = frozenset({GENESIS, ADDED, RETIRED, REVOKED})
"""The kinds of records that change keys."""

STATEMENT: Final = "statement"
PURPOSES: Final = frozenset({STATEMENT, "log", "receipt"})
SECRET_PURPOSES: Final = {"wrapping": "aes-256-kw", "permit": "blake2b-256"}
"""Keys that no verifier needs, and their algorithms: their events are recorded, and name no key but its id."""

ALGORITHM: Final = "ed25519"

_GENESIS_CLAIMS: Final = (
    "authority_id",
    "kind",
    "log_key",
    "origin",
    "predecessor",
    "receipt_key",
    "root_key",
    "statement_key",
)
_KEY_CLAIMS: Final = ("algorithm", "key_id", "kind", "origin", "public_key", "purpose")


def endorsed_bytes(body: Mapping[str, canonical.Json]) -> bytes:
    """Return what the root key signs of an event's body.

    Raises:
        EncodingError: not a key event, or a claim is missing.
    """
    kind = body.get("kind")
    if kind not in KINDS:
        raise EncodingError("record is not a key event")
    names = _GENESIS_CLAIMS if kind == GENESIS else _KEY_CLAIMS
    missing = [name for name in names if name not in body]
    if missing:
        raise EncodingError(f"key event has no `{missing[0]}`")
    return canonical.encode({name: body[name] for name in names})


@dataclass(frozen=True, slots=True)
class KeyPeriod:
    """One key of one purpose and the indexes at which it may sign: from ``first`` up to and without ``end``."""

    purpose: str
    public_key: bytes
    first: int
    end: int | None = None
    revoked: bool = False

    @property
    def kid(self) -> bytes:
        """The key's identifier."""
        return key_id(self.public_key)

    def covers(self, index: int) -> bool:
        """Tell whether the key may sign at ``index``."""
        return self.first <= index and (self.end is None or index < self.end)


@dataclass(frozen=True, slots=True)
class KeyHistory:
    """The keys of one log by index, up to the newest event applied. A value: ``apply`` returns the next one."""

    origin: str
    root_key: bytes
    periods: tuple[KeyPeriod, ...]
    index: int = 0

    @classmethod
    def from_genesis(cls, body: Mapping[str, canonical.Json], *, root_key: bytes, origin: str) -> "KeyHistory":
        """Return the history that begins with the log's first record.

        Raises:
            AlteredError: not endorsed by ``root_key``, or of another log.
            EncodingError: malformed, or a weak key.
        """
        if body.get("kind") != GENESIS:
            raise AlteredError("the first record is not a genesis record", index=0)
        _require_endorsed(body, root_key, origin, 0)
        log_key = parse_vkey(_text(body, "log_key"))
        if log_key.name != origin or _raw_key(body, "root_key") != root_key:
            raise AlteredError("the genesis record names another log key or root key", index=0)
        periods = (
            KeyPeriod(STATEMENT, _raw_key(body, "statement_key"), 0),
            KeyPeriod("log", log_key.public_key, 0),
            KeyPeriod("receipt", _raw_key(body, "receipt_key"), 0),
        )
        return cls(origin, root_key, periods)

    def apply(self, index: int, body: Mapping[str, canonical.Json]) -> "KeyHistory":
        """Return the history after the key event at ``index``; other records change nothing.

        The same event twice is no error, so that an authority that crashed in a rotation may repeat its last step.

        Raises:
            AlteredError: not endorsed by the root key, out of order, or against the life of a key.
            EncodingError: malformed, or a weak key.
        """
        kind = body.get("kind")
        if kind not in KINDS:
            return self
        if kind == GENESIS or index <= self.index:
            raise AlteredError(f"key event at {index} is out of order", index=index)
        _require_endorsed(body, self.root_key, self.origin, index)
        if body["purpose"] in SECRET_PURPOSES:
            return replace(self, index=index)
        purpose, public_key = _key_of(body)
        found = next((p for p in self.periods if p.public_key == public_key and p.purpose == purpose), None)
        if kind == ADDED:
            periods = self._added(found, KeyPeriod(purpose, public_key, index))
        else:
            periods = self._ended(found, index, revoked=kind == REVOKED)
        return replace(self, periods=periods, index=index)

    def _added(self, found: KeyPeriod | None, new: KeyPeriod) -> tuple[KeyPeriod, ...]:
        if any(period.public_key == new.public_key for period in self.periods if period is not found):
            raise AlteredError("one key is used for two purposes", index=new.first)
        if found is None:
            return (*self.periods, new)
        if found.end is not None:
            raise AlteredError("a retired or revoked key was added again", index=new.first)
        return self.periods

    def _ended(self, found: KeyPeriod | None, index: int, *, revoked: bool) -> tuple[KeyPeriod, ...]:
        if found is None:
            raise AlteredError("a key that was never added was retired or revoked", index=index)
        end = index if found.end is None else found.end
        ended = replace(found, end=end, revoked=found.revoked or revoked)
        return tuple(ended if period is found else period for period in self.periods)

    def key(self, kid: bytes, index: int, purpose: str = STATEMENT) -> KeyPeriod | None:
        """Return the key of ``kid`` that may sign at ``index``, or None."""
        for period in self.periods:
            if period.purpose == purpose and period.kid == kid and period.covers(index):
                return period
        return None

    def statement_keys(self) -> tuple[StatementKey, ...]:
        """Return the statement keys as ``trust.json`` lists them."""
        return tuple(
            StatementKey(period.public_key, period.first, period.end)
            for period in self.periods
            if period.purpose == STATEMENT
        )


def _require_endorsed(body: Mapping[str, canonical.Json], root_key: bytes, origin: str, index: int) -> None:
    signature = decode_base64(_text(body, "root_signature"), "root_signature")
    if not is_signed(root_key, endorsed_bytes(body), signature):
        raise AlteredError("key event is not endorsed by the root key", index=index)
    if body["origin"] != origin:
        raise AlteredError("key event belongs to another log", index=index)


def _key_of(body: Mapping[str, canonical.Json]) -> tuple[str, bytes]:
    purpose, public_key = _text(body, "purpose"), _raw_key(body, "public_key")
    if purpose not in PURPOSES or body["algorithm"] != ALGORITHM:
        raise EncodingError(f"key event has purpose `{purpose[:40]}` or an algorithm that is not known")
    if body["key_id"] != key_id(public_key).hex():
        raise EncodingError("key event's key id is not its key's")
    return purpose, public_key


def _raw_key(body: Mapping[str, canonical.Json], name: str) -> bytes:
    return require_public_key(decode_base64(_text(body, name), name), name)


def _text(body: Mapping[str, canonical.Json], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise EncodingError(f"key event's `{name}` is not text")
    return value


def base64_of(data: bytes) -> str:
    """Return base64 as key events write it."""
    return base64.b64encode(data).decode("ascii")
