"""Exports rows as JSON lines or CSV: written in the order of the journal, whole or not at all."""

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson

from sealgate.evidence import reading, searching
from sealgate.evidence.answers import Exported, Filter, Format, Row
from sealgate.evidence.queries import Progress
from sealgate.evidence.reading import Proof
from sealgate.model.errors import InputError
from sealgate.ports.evidence import EvidenceStore

_NAMES = tuple(item.name for item in msgspec.structs.fields(Row))


class RowExporter:
    """An ``evidence.queries.Exporter`` of plain rows."""

    def __init__(self, store: EvidenceStore, proof: Proof) -> None:
        self._store = store
        self._proof = proof

    def export(self, asked: Filter, *, form: Format, destination: Path, progress: Progress) -> Exported:
        """Write a new file.

        Raises:
            InputError: the form is not offered, or the file exists.
        """
        if form not in ("jsonl", "csv"):
            raise InputError(f"`{form}` is not offered here", hint="export `jsonl` or `csv`")
        count = 0
        try:
            with destination.open("x", encoding="utf-8", newline="") as file:
                writer = csv.writer(file)
                if form == "csv":
                    writer.writerow(_NAMES)
                for rows in self._pages(asked):
                    for row in rows:
                        if form == "csv":
                            writer.writerow([_cell(row[name]) for name in _NAMES])
                        else:
                            file.write(orjson.dumps(row).decode() + "\n")
                    count += len(rows)
                    progress(count, count)
        except FileExistsError as error:
            raise InputError(f"`{destination}` exists", hint="name another file") from error
        except BaseException:
            destination.unlink(missing_ok=True)
            raise
        content = destination.read_bytes()
        return Exported(count=count, bytes=len(content), digest=hashlib.sha256(content).hexdigest())

    def _pages(self, asked: Filter) -> Iterator[list[dict[str, Any]]]:
        for rows in searching.every_row(self._store, asked):
            answers = [reading.answer(row, self._proof) for row in rows]
            yield [{name: getattr(answer, name) for name in _NAMES} for answer in answers]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
