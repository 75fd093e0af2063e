"""Exports: all rows of a filter as JSON lines, CSV or Parquet, or as a bundle that a verifier checks.

Whoever opens the file decides who reads its content from then on: an export is not encrypted.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, Final

import msgspec
import orjson
import pyarrow as pa
from pyarrow import parquet

from sealgate.adapters.evidence.bundle import write_bundle
from sealgate.evidence import reading, searching
from sealgate.evidence.answers import Filter, Format, Row
from sealgate.evidence.queries import Progress
from sealgate.evidence.reading import Proof
from sealgate.evidence.records import Records
from sealgate.model.errors import InputError, UnavailableError
from sealgate.ports.evidence import EvidenceStore
from sealgate.ports.public_log import PublicLog

_NAMES: Final = tuple(field.name for field in msgspec.structs.fields(Row))
_LISTS: Final = frozenset({"policies", "subjects"})
_TYPES: Final = {
    "index": pa.int64(),
    "position": pa.int64(),
    "duration_ms": pa.float64(),
    **dict.fromkeys(("input_size_bytes", "output_size_bytes", "tokens_input", "tokens_output"), pa.int64()),
    **dict.fromkeys(_LISTS, pa.list_(pa.string())),
}
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

    def export(
        self, asked: Filter, *, form: Format, file: IO[bytes], without: frozenset[str], progress: Progress
    ) -> int:
        """Write all rows; return how many there were.

        Raises:
            InputError: a bundle has no rows, or shall be without something.
            UnavailableError: it cannot be written.
        """
        try:
            if form == "bundle":
                return self._bundle(asked, file, without, progress)
            names = [name for name in _NAMES if name not in without]
            return _WRITERS[form](file, self._batches(asked, progress), names)
        except OSError as error:
            raise UnavailableError(f"the export cannot be written: {error.strerror}") from error

    def _bundle(self, asked: Filter, file: IO[bytes], without: frozenset[str], progress: Progress) -> int:
        if without:
            raise InputError("a bundle holds whole records", hint="export `jsonl` or `csv`")
        keys = [(row[0], row[1]) for rows in searching.every_row(self._store, asked) for row in rows]
        write_bundle(file, sorted({index for index, _ in keys}), self._records, self._public, self._trust)
        progress(len(keys), len(keys))
        return len(keys)

    def _batches(self, asked: Filter, progress: Progress) -> Iterator[list[Row]]:
        done = 0
        for values in searching.every_row(self._store, asked):
            yield [reading.answer(row, self._proof) for row in values]
            done += len(values)
            progress(done, done)


def _write_lines(file: IO[bytes], batches: Iterable[list[Row]], names: Sequence[str]) -> int:
    count = 0
    for rows in batches:
        file.write(b"".join(_line(row, names) for row in rows))
        count += len(rows)
    return count


def _line(row: Row, names: Sequence[str]) -> bytes:
    if len(names) == len(_NAMES):
        return msgspec.json.encode(row) + b"\n"
    told = msgspec.to_builtins(row)  # which has no member that is as it is by default
    return msgspec.json.encode({name: told[name] for name in names if name in told}) + b"\n"


def _write_csv(file: IO[bytes], batches: Iterable[list[Row]], names: Sequence[str]) -> int:
    count = 0
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(names)
    for rows in batches:
        writer.writerows([_cell(getattr(row, name)) for name in names] for row in rows)
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


def _write_parquet(file: IO[bytes], batches: Iterable[list[Row]], names: Sequence[str]) -> int:
    count = 0
    schema = pa.schema([(name, _TYPES.get(name, pa.string())) for name in names])
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in batches:
            writer.write_table(pa.Table.from_pylist([_flat(row) for row in rows], schema=schema))
            count += len(rows)
    return count


def _flat(row: Row) -> dict[str, Any]:
    return {**msgspec.structs.asdict(row), "rest": orjson.dumps(row.rest).decode()}


_WRITERS: Final = {"jsonl": _write_lines, "csv": _write_csv, "parquet": _write_parquet}
