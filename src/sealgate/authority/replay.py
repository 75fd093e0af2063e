"""Brings the authority's memory up to the journal at a start, and saves a snapshot so that the next start is short.

The snapshot is sealed like a body. It is a convenience: if it is missing, damaged, from another log or ahead of the
journal, it is ignored and everything is rebuilt from the first record.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealgate.authority.approval_book import Dump
from sealgate.authority.permits import OpenDecision
from sealgate.authority.reader import Reader
from sealgate.authority.state import Memory, Pending
from sealgate.encoding import sealed_body, sealed_group
from sealgate.model.delegations import Delegation
from sealgate.model.errors import AlteredError, EncodingError
from sealgate.model.grants import Grant
from sealgate.model.lifecycle import State
from sealgate.model.limits import MAX_BODY_BYTES
from sealgate.model.tasks import OpenTask
from sealgate.policy.session import Kept
from sealgate.ports.journal import Journal
from sealgate.retention.holds import Hold

VERSION: Final = 2
RENEW_BYTES: Final = 256 << 20
"""Bytes of sealed bodies before the snapshot that are read again at most: batch records are large."""

_BATCH: Final = bytes((sealed_body.COMPRESSED,))
_ARCHIVED: Final = bytes((sealed_body.GROUPED,))
_BLOCK: Final = 2048
RENEW_REQUESTS: Final = 100_000
"""Records before the snapshot that are read again at a start, so that repeated requests are still recognized."""


_PART: Final = 256
"""Members of a list that are encoded in one go: some tenths of a millisecond."""

_JSON: Final = msgspec.json.encode


class Snapshot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The memory at ``cursor``; ``limits`` is the policy limits' own dump."""

    version: int
    cursor: int
    last_ms: int
    policy_version: str | None
    paused: dict[str, str]
    decisions: list[OpenDecision]
    limits: dict[str, Any]
    batches: bytes = b""
    pending: Pending | None = None
    grants: list[Grant] = []
    configuration_sha256: str | None = None
    settings: list[str] = []
    holds: list[Hold] = []
    tasks: list[OpenTask] = []
    ended_tasks: list[str] = []
    delegations: list[Delegation] = []
    approvals: Dump = msgspec.field(default_factory=Dump)
    leases: bytes = b""
    supply: bytes = b""
    sessions: list[Kept] = []
    sessions_lost_until_ms: int = 0


def capture(memory: Memory, limits: dict[str, Any]) -> Snapshot:
    """Return what ``memory`` is now. Nothing in it changes afterwards, so another thread may write it.

    Called on the loop's thread, and quick: a million decisions wait meanwhile. It copies references to what is frozen;
    only approvals, which are few and change, are copied.
    """
    return Snapshot(
        VERSION,
        memory.cursor,
        memory.last_ms,
        memory.policy_version,
        dict(memory.paused),
        list(memory.decisions),
        limits,
        memory.batches.dump(),
        memory.pending,
        list(memory.grants.values()),
        memory.configuration_sha256,
        list(memory.settings),
        list(memory.holds.values()),
        list(memory.tasks.values()),
        list(memory.ended_tasks),
        list(memory.delegations.values()),
        memory.approvals.dump(),
        memory.leases.dump(),
        memory.supply.dump(),
        memory.sessions.dump(),
        memory.sessions.lost_until_ms,
    )


def encode(snapshot: Snapshot, rest: Callable[[], None]) -> bytes:
    """Return a captured snapshot as JSON, not sealed yet.

    Long lists are written in parts with a ``rest`` after each: the encoder keeps the interpreter's lock.
    """
    members = {name: getattr(snapshot, name) for name in snapshot.__struct_fields__}
    members["decisions"] = [each for each in snapshot.decisions if each.state is not State.REPORTED]
    return _object(members, rest)


def _object(members: Mapping[str, Any], rest: Callable[[], None]) -> bytes:
    """As ``encode``. Bytes are joined and not added: that leaves the interpreter to others while much is copied."""
    parts: list[bytes] = []
    for name, value in members.items():
        parts += (b"," if parts else b"{", _JSON(name), b":", _value(value, rest))
    return b"".join((*parts, b"}")) if parts else b"{}"


def _value(value: Any, rest: Callable[[], None]) -> bytes:
    if isinstance(value, dict):
        return _object(value, rest)
    if not isinstance(value, list):
        return _JSON(value)
    parts = []
    for start in range(0, len(value), _PART):
        parts.append(_JSON(value[start : start + _PART])[1:-1])
        rest()
    return b"".join((b"[", b",".join(parts), b"]"))


def seal(snapshot: bytes, cipher: AESGCM, key_id: bytes, nonce: bytes, origin: str) -> bytes:
    """Return a snapshot as it may be stored. It may be long: not for the loop's thread."""
    return sealed_body.seal(cipher, key_id, nonce, snapshot, _aad(origin))


def load(memory: Memory, sealed: bytes, cipher: AESGCM, origin: str, journal_size: int) -> dict[str, Any] | None:
    """Fill ``memory`` from a sealed snapshot and return the limits' dump; None where the snapshot cannot serve."""
    try:
        plain = sealed_body.unseal(cipher, sealed, _aad(origin))
        snapshot = msgspec.json.decode(plain, type=Snapshot)
    except (AlteredError, EncodingError, msgspec.DecodeError):
        return None
    if snapshot.version != VERSION or snapshot.cursor > journal_size:
        return None
    memory.cursor = snapshot.cursor
    memory.last_ms = snapshot.last_ms
    memory.policy_version = snapshot.policy_version
    memory.paused = dict(snapshot.paused)
    memory.batches.load(snapshot.batches)
    memory.pending = snapshot.pending
    memory.grants = {grant.grant_id: grant for grant in snapshot.grants}
    memory.configuration_sha256, memory.settings = snapshot.configuration_sha256, list(snapshot.settings)
    memory.tasks = {task.task_id: task for task in snapshot.tasks}
    memory.ended_tasks = dict.fromkeys(snapshot.ended_tasks)
    memory.delegations = {each.delegation_id: each for each in snapshot.delegations}
    memory.holds = {hold.hold_id: hold for hold in snapshot.holds}
    memory.approvals.load(snapshot.approvals)
    memory.leases.load(snapshot.leases)
    memory.supply.load(snapshot.supply)
    memory.sessions.load(snapshot.sessions)
    memory.sessions.lost_until_ms = snapshot.sessions_lost_until_ms
    for decision in snapshot.decisions:
        memory.decisions.add(decision)
    return snapshot.limits


def _aad(origin: str) -> bytes:
    return b"sealgate snapshot\x00" + origin.encode()


def replay(memory: Memory, journal: Journal, reader: Reader, progress: Callable[[int, int], None]) -> None:
    """Apply all records from a little before the memory's cursor to the journal's end.

    Raises:
        AlteredError: a record does not open or is not what its statement commits to.
    """
    stop = journal.size
    start = _renew_from(journal, min(memory.cursor, stop))
    for index, record in journal.read(start, stop):
        if index < memory.cursor and _is_batch(record.sealed_body):
            continue  # a batch: the snapshot has its id
        content = reader.open(index, record).content()
        if content is not None:
            memory.apply(index, content)
        elif index >= memory.cursor:
            memory.cursor = index + 1
        if index % 10_000 == 0:
            progress(index - start, stop - start)


def _is_batch(sealed: bytes) -> bool:
    """Tell it without opening: sealed compressed, or archived and longer than any other record."""
    return sealed[:1] == _BATCH or (sealed[:1] == _ARCHIVED and sealed_group.body_bytes(sealed) > MAX_BODY_BYTES)


def _renew_from(journal: Journal, cursor: int) -> int:
    """Return the first record to read again: so many records before the cursor, and no more bytes than RENEW_BYTES."""
    start, size = cursor, 0
    while start > max(0, cursor - RENEW_REQUESTS) and size < RENEW_BYTES:
        block = max(0, cursor - RENEW_REQUESTS, start - _BLOCK)
        size += sum(sealed_group.body_bytes(record.sealed_body) for _, record in journal.read(block, start))
        start = block
    return start
