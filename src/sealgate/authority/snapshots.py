"""An authority's memory in one sealed file, so that the next start replays only what came after."""

import contextlib
import os
from collections.abc import Callable
from typing import Any

from sealgate.authority import replay
from sealgate.authority.parts import Parts
from sealgate.authority.rulebook import Rulebook
from sealgate.encoding import sealed_body, statement
from sealgate.model.errors import SealgateError
from sealgate.ports.journal import Journal


def load(parts: Parts) -> dict[str, Any] | None:
    """Fill the memory from the last snapshot and return the limits in it; None where there is none that serves.

    The time of the newest record comes from the journal: a running authority's memory does not follow it.
    """
    limits = _load(parts)
    parts.memory.last_ms = max(parts.memory.last_ms, _newest_ms(parts.journal))
    return limits


def _newest_ms(journal: Journal) -> int:
    """Return the time of the newest record, to the second; 0 where there is none or its statement has expired."""
    for _, record in journal.read(max(0, journal.size - 1), journal.size):
        return statement.parse(record.statement).claims.iat * 1000 if record.statement else 0
    return 0


def _load(parts: Parts) -> dict[str, Any] | None:
    sealed = parts.storage.load_snapshot()
    if sealed is None:
        return None
    with contextlib.suppress(SealgateError):
        key = parts.data_keys.find(sealed_body.key_id_of(sealed))
        if key is not None:
            place = parts.recorder.place
            return replay.load(parts.memory, sealed, key.cipher, place.origin, parts.journal.size)
    return None


def take(parts: Parts, rulebook: Rulebook | None) -> Callable[[], None]:
    """Take a snapshot of the memory now; return what seals and stores it."""
    place = parts.recorder.place
    key = parts.data_keys.current("authority/snapshot", parts.recorder.time.last_ms)
    limits = rulebook.dump_limits() if rulebook else {}
    nonce = os.urandom(sealed_body.NONCE_BYTES)
    snapshot = replay.save(parts.memory, limits)
    return lambda: parts.storage.store_snapshot(replay.seal(snapshot, key.cipher, key.key_id, nonce, place.origin))
