"""An authority's memory in one sealed file, so that the next start replays only what came after."""

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from typing import Any, Final

from sealgate.authority import replay
from sealgate.authority.parts import Parts
from sealgate.authority.rulebook import Rulebook
from sealgate.encoding import sealed_body, statement
from sealgate.model.errors import SealgateError
from sealgate.ports.journal import Journal

_LOG = logging.getLogger(__name__)
_REST_S: Final = 0.001
"""Rests after each part of a snapshot, about as long as it takes to write two: a second for 250,000 open decisions."""


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


class Snapshots:
    """Saves what an authority remembers. One event loop owns it.

    The loop only takes references (``replay.capture``). Another thread encodes, seals and stores, and leaves the
    interpreter to the decisions again and again.
    """

    def __init__(self, parts: Parts, rulebook: Callable[[], Rulebook | None]) -> None:
        self._parts = parts
        self._rulebook = rulebook
        self._storing: asyncio.Future[None] | None = None
        self._hurry = threading.Event()

    def begin(self) -> bool:
        """Take a snapshot now and have it stored; tell whether it was: not while the last one is still being stored."""
        if self._storing is not None:
            return False
        self._storing = asyncio.get_running_loop().run_in_executor(None, self._take())
        self._storing.add_done_callback(self._stored)
        return True

    def _stored(self, storing: "asyncio.Future[None]") -> None:
        self._storing = None
        error = None if storing.cancelled() else storing.exception()
        if error is not None:  # it only makes the next start longer
            _LOG.warning("no snapshot: %s", error)

    async def finish(self) -> None:
        """Store the memory as it is at the end, without rests; raises nothing: it only makes the next start shorter."""
        self._hurry.set()
        await self._settled()  # two threads must not replace one file
        try:
            self.begin()
        except SealgateError as error:
            _LOG.warning("no snapshot: %s", error)
        await self._settled()

    async def _settled(self) -> None:
        if self._storing is not None:
            await asyncio.wait([self._storing])

    def _take(self) -> Callable[[], None]:
        parts, rulebook = self._parts, self._rulebook()
        key = parts.data_keys.current("authority/snapshot", parts.recorder.time.last_ms)
        limits = rulebook.dump_limits() if rulebook else {}
        nonce = os.urandom(sealed_body.NONCE_BYTES)
        snapshot = replay.capture(parts.memory, limits)

        def store() -> None:
            plain = replay.encode(snapshot, self._rest)
            sealed = replay.seal(plain, key.cipher, key.key_id, nonce, parts.recorder.place.origin)
            parts.storage.store_snapshot(sealed)

        return store

    def _rest(self) -> None:
        self._hurry.wait(_REST_S)
