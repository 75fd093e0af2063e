"""Exports: all rows of a filter as JSON lines, CSV or Parquet, or as a bundle that a verifier checks.

A file is written without a name and linked when it is whole, so a crash leaves nothing. Who reads the file decides who
reads its content from then on: an export is not encrypted.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import orjson
import pyarrow as pa
from pyarrow import parquet

from sealgate.adapters.evidence.bundle import write_bundle
from sealgate.adapters.evidence.unnamed import unnamed
from sealgate.evidence import reading, searching
from sealgate.evidence.answers import Exported, Filter, Format, Row
from sealgate.evidence.queries import Progress
from sealgate.evidence.reading import Proof
from sealgate.evidence.records import Records
from sealgate.ports.evidence import EvidenceStore
from sealgate.ports.public_log import PublicLog

_FIELDS: Final = msgspec.structs.fields(Row)
_LISTS: Final = frozenset({"policies", "subjects"})
_TYPES: Final = {
    "index": pa.int64(),
    "position": pa.int64(),
    "duration_ms": pa.float64(),
    **dict.fromkeys(("input_size_bytes", "output_size_bytes", "tokens_input", "tokens_output"), pa.int64()),
    **dict.fromkeys(_LISTS, pa.list_(pa.string())),
}
_SCHEMA: Final = pa.schema([(field.name, _TYPES.get(field.name, pa.string())) for field in _FIELDS])
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class FileExporter:
    """An ``evidence.queries.Exporter``."""

    def __init__(
        self, store: EvidenceStore, records: Records, proof: Proof, public: PublicLog, trust: bytes | None
    ) -> None:
        self._store = store
        self._records = records
        self._proof = proof
        self._public = public
        self._trust = trust

    def export(self, asked: Filter, *, form: Format, destination: Path, progress: Progress) -> Exported:
        """Write a new file, whole or not at all.

        Raises:
            InputError: the file exists, its folder does not, or a bundle has no rows.
            UnavailableError: it cannot be written.
        """
        with unnamed(destination) as made:
            if form == "bundle":
                keys = [(row[0], row[1]) for rows in searching.every_row(self._store, asked) for row in rows]
                write_bundle(made.file, sorted({index for index, _ in keys}), self._records, self._public, self._trust)
                progress(len(keys), len(keys))
                count = len(keys)
            else:
                count = _WRITERS[form](made.file, self._batches(asked, progress))
            size, digest = made.link()
        return Exported(count=count, bytes=size, digest=f"sha256:{digest}")

    def _batches(self, asked: Filter, progress: Progress) -> Iterator[list[Row]]:
        done = 0
        for values in searching.every_row(self._store, asked):
            yield [reading.answer(row, self._proof) for row in values]
            done += len(values)
            progress(done, done)


def _write_lines(file: IO[bytes], batches: Iterable[list[Row]]) -> int:
    count = 0
    for rows in batches:
        file.write(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
        count += len(rows)
    return count


def _write_csv(file: IO[bytes], batches: Iterable[list[Row]]) -> int:
    count = 0
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow([field.name for field in _FIELDS])
    for rows in batches:
        writer.writerows([_cell(getattr(row, field.name)) for field in _FIELDS] for row in rows)
        count += len(rows)
    text.detach()
    return count


def _cell(value: Any) -> Any:
    """Return a value for a spreadsheet: nothing in it is taken for a formula there."""
    if isinstance(value, list):
        value = " ".join(value)
    elif isinstance(value, dict):
        value = orjson.dumps(value).decode() if value else ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _write_parquet(file: IO[bytes], batches: Iterable[list[Row]]) -> int:
    count = 0
    with parquet.ParquetWriter(file, _SCHEMA, compression="zstd") as writer:
        for rows in batches:
            writer.write_table(pa.Table.from_pylist([_flat(row) for row in rows], schema=_SCHEMA))
            count += len(rows)
    return count


def _flat(row: Row) -> dict[str, Any]:
    return {**msgspec.structs.asdict(row), "rest": orjson.dumps(row.rest).decode()}


_WRITERS: Final = {"jsonl": _write_lines, "csv": _write_csv, "parquet": _write_parquet}
