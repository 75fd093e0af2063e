"""Exports: made whole in memory, recorded with their digest, then fetched in parts by who asked.

Nothing of an export touches a disk or has a name, not even while it is made: the service that is killed leaves nothing.
What a role may not see is never written; forms that hold whole records are for who may see whole records.
"""

import asyncio
import uuid
from dataclasses import dataclass
from typing import Final

import msgspec

from sealgate.evidence.answers import Filter, Format
from sealgate.model.errors import NotPermittedError, UnavailableError
from sealgate.model.evaluation import Identity
from sealgate.policy.reading import Part

from .desk import Asked, Desk, Note, Turn
from .hiding import WHOLE
from .scope import PART_OF_FIELD
from .unnamed import UnnamedFile

PART_BYTES: Final = 4 << 20
_KEPT_S: Final = 600.0
_MOST: Final = 16
_WHOLE_FORMS: Final = frozenset({"parquet", "bundle"})


@dataclass(frozen=True, slots=True)
class _Ready:
    principal: str
    file: UnnamedFile
    size: int
    end: asyncio.TimerHandle


class Ready(msgspec.Struct, frozen=True):
    """An export that can be fetched: ``parts`` pieces of at most ``part_bytes``, together ``bytes`` with ``digest``."""

    export_id: str
    format: Format
    count: int
    bytes: int
    digest: str
    parts: int
    part_bytes: int


class Exports:
    """Makes exports and keeps each for a while. Owned by one event loop."""

    def __init__(self, desk: Desk, *, max_bytes: int, kept_s: float = _KEPT_S) -> None:
        self._desk = desk
        self._max_bytes = max_bytes
        self._kept_s = kept_s
        self._making = 0
        self._ready: dict[str, _Ready] = {}

    async def make(self, what: Filter, form: Format, asked: Asked) -> tuple[Ready, Note]:
        """Write all that fits into a file, record that, and keep it to be fetched.

        Raises:
            NotPermittedError: no role allows it, the form holds what is hidden, it is too large or takes too long.
            UnavailableError: it could not be recorded, or too many exports wait to be fetched.
        """
        waiting_bytes = sum(ready.size for ready in self._ready.values())
        if len(self._ready) + self._making >= _MOST or waiting_bytes >= self._max_bytes:
            raise UnavailableError("too many exports wait to be fetched", hint="wait ten minutes, then ask again")
        self._making += 1
        try:
            turn = await self._admit(what, form, asked)
            file = UnnamedFile(self._max_bytes)
            try:
                return await self._fill(turn, form, file)
            except BaseException:
                file.close()
                raise
        finally:
            self._making -= 1

    async def _admit(self, what: Filter, form: Format, asked: Asked) -> Turn:
        turn = await self._desk.admit_export(what, asked)
        if form in _WHOLE_FORMS and not turn.sight.parts >= WHOLE:
            hint = "export `jsonl` or `csv`: what is hidden is left out of these"
            await self._desk.refuse(
                turn, f"`{form}` holds parts that this role may not see", code="read-refused", hint=hint
            )
        return turn

    async def _fill(self, turn: Turn, form: Format, file: UnnamedFile) -> tuple[Ready, Note]:
        without = _hidden(turn.sight.parts)

        def write() -> tuple[int, int, str]:
            count = self._desk.queries.export(
                turn.what, format=form, file=file, without=without, progress=lambda _done, _all: None
            )
            return count, *file.finish()

        count, size, digest = await self._desk.run_export(turn, write)
        note = await self._desk.finish_export(turn, count=count, digest=digest)
        export_id = uuid.uuid4().hex
        end = asyncio.get_running_loop().call_later(self._kept_s, self._throw_away, export_id)
        self._ready[export_id] = _Ready(turn.asked.caller.principal, file, size, end)
        parts = max(1, -(-size // PART_BYTES))
        return Ready(export_id, form, count, size, digest, parts, PART_BYTES), note

    async def fetch(self, export_id: str, part: int, caller: Identity) -> bytes:
        """Return one part of an export that this caller made.

        Raises:
            NotPermittedError: there is none, or it is somebody else's.
        """
        ready = self._ready.get(export_id)
        if ready is None or ready.principal != caller.principal or not 0 <= part * PART_BYTES <= ready.size:
            raise NotPermittedError("there is no such export", code="export-unknown", hint="make it again")
        # Not in a thread: it is a copy in memory, and the file's number may be another file's once it is thrown away.
        return ready.file.read_at(part * PART_BYTES, PART_BYTES)

    def _throw_away(self, export_id: str) -> None:
        ready = self._ready.pop(export_id)
        ready.end.cancel()
        ready.file.close()

    def close(self) -> None:
        """Throw all exports away."""
        for export_id in list(self._ready):
            self._throw_away(export_id)


def _hidden(parts: frozenset[Part]) -> frozenset[str]:
    """Return the members of rows that are left out for who sees these parts."""
    if parts >= WHOLE:
        return frozenset()
    return frozenset({"rest", "text"}.union(name for name, part in PART_OF_FIELD.items() if part not in parts))
