"""Exports: made whole in memory-backed files, recorded with their digest, then fetched in parts by who asked.

Nothing of an export touches a disk in the clear: its folder is on a file system in memory where there is one. What a
role may not see is dropped row by row; forms that hold whole records are for who may see whole records.
"""

import asyncio
import csv
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from sealgate.evidence.answers import Exported, Filter, Format
from sealgate.model.errors import NotPermittedError, UnavailableError
from sealgate.model.evaluation import Identity
from sealgate.policy.reading import Part

from .desk import Asked, Desk, Note
from .hiding import WHOLE
from .scope import PART_OF_FIELD

PART_BYTES: Final = 4 << 20
_KEPT_S: Final = 600.0
_MOST: Final = 16
_IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # the kernel's memory file system; the folder in it is 0700
_WHOLE_FORMS: Final = frozenset({"parquet", "bundle"})


@dataclass(slots=True)
class _Ready:
    principal: str
    path: Path
    size: int
    until: float


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
    """Makes and keeps exports for a while. Owned by one event loop."""

    def __init__(self, desk: Desk, *, folder: Path, max_bytes: int, clock: Callable[[], float]) -> None:
        self._desk = desk
        self._max_bytes = max_bytes
        self._clock = clock
        parent = _IN_MEMORY if _IN_MEMORY.is_dir() and os.access(_IN_MEMORY, os.W_OK) else folder
        self._folder = Path(tempfile.mkdtemp(prefix="sealgate-exports-", dir=parent))
        self._ready: dict[str, _Ready] = {}

    async def make(self, what: Filter, form: Format, asked: Asked) -> tuple[Ready, Note]:
        """Write all that fits into a file, record that, and keep it to be fetched.

        Raises:
            NotPermittedError: no role allows it, the form holds what is hidden, it is too large or takes too long.
            UnavailableError: it could not be recorded, or too many exports wait to be fetched.
        """
        self._sweep()
        if len(self._ready) >= _MOST:
            raise UnavailableError("too many exports wait to be fetched", hint="fetch them, or wait ten minutes")
        turn = await self._desk.admit_export(what, asked)
        parts = turn.sight.parts
        if form in _WHOLE_FORMS and not parts >= WHOLE:
            hint = "export `jsonl` or `csv`: what is hidden is left out of these"
            await self._desk.refuse(
                turn, f"`{form}` holds parts that this role may not see", code="read-refused", hint=hint
            )
        export_id = uuid.uuid4().hex
        path = self._folder / export_id
        kept = False
        try:
            made: Exported = await self._desk.run_export(turn, lambda: self._write(turn.what, form, path, parts))
            size = path.stat().st_size
            if size > self._max_bytes:
                hint = "narrow the time, or export agent by agent"
                await self._desk.refuse(turn, f"the export has {size} bytes", code="export-too-large", hint=hint)
            note = await self._desk.finish_export(turn, count=made.count, digest=made.digest)
            principal = asked.caller.principal
            self._ready[export_id] = _Ready(principal, path, size, self._clock() + _KEPT_S)
            kept = True
        finally:
            if not kept:
                path.unlink(missing_ok=True)
        count = max(1, -(-size // PART_BYTES))
        return Ready(export_id, form, made.count, size, made.digest, count, PART_BYTES), note

    def _write(self, what: Filter, form: Format, path: Path, parts: frozenset[Part]) -> Exported:
        made: Exported = self._desk.queries.export(
            what, format=form, destination=path, progress=lambda _done, _all: None
        )
        if not parts >= WHOLE:
            hidden = frozenset(name for name, part in PART_OF_FIELD.items() if part not in parts)
            _drop(path, form, hidden | {"rest", "text"})
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
        return Exported(count=made.count, bytes=path.stat().st_size, digest=digest.hexdigest())

    async def fetch(self, export_id: str, part: int, caller: Identity) -> bytes:
        """Return one part of an export that this caller made.

        Raises:
            NotPermittedError: there is none, or it is somebody else's.
        """
        self._sweep()
        ready = self._ready.get(export_id)
        if ready is None or ready.principal != caller.principal or not 0 <= part * PART_BYTES <= ready.size:
            raise NotPermittedError("there is no such export", code="export-unknown", hint="make it again")
        path = ready.path

        def read() -> bytes:
            with path.open("rb") as file:
                file.seek(part * PART_BYTES)
                return file.read(PART_BYTES)

        return await asyncio.get_running_loop().run_in_executor(None, read)

    def _sweep(self) -> None:
        now = self._clock()
        for export_id in [name for name, ready in self._ready.items() if ready.until < now]:
            self._ready.pop(export_id).path.unlink(missing_ok=True)

    def close(self) -> None:
        """Throw all exports away."""
        self._ready.clear()
        shutil.rmtree(self._folder, ignore_errors=True)


def _drop(path: Path, form: str, hidden: frozenset[str]) -> None:
    """Rewrite a file of rows without these members."""
    clean = path.with_suffix(".clean")
    if form == "csv":
        _drop_columns(path, clean, hidden)
    else:
        with path.open("rb") as source, clean.open("xb") as target:
            for line in source:
                row: dict[str, Any] = orjson.loads(line)
                target.write(orjson.dumps({name: value for name, value in row.items() if name not in hidden}) + b"\n")
    clean.replace(path)


def _drop_columns(path: Path, clean: Path, hidden: frozenset[str]) -> None:
    with path.open(newline="", encoding="utf-8") as source, clean.open("x", newline="", encoding="utf-8") as target:
        rows = csv.reader(source)
        names = next(rows, [])
        kept = [place for place, name in enumerate(names) if name not in hidden]
        writer = csv.writer(target)
        writer.writerow([names[place] for place in kept])
        writer.writerows([row[place] for place in kept] for row in rows)
