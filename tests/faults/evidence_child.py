"""Fills an evidence store until it is killed: appends, rolls over, erases; prints each index that is durable."""

import importlib.util
import sys
from pathlib import Path

from sealgate.adapters.evidence.store import DuckStore
from sealgate.adapters.keys.file import FileWrappingKey
from sealgate.evidence import projection
from sealgate.ports.evidence import Erasure

ROWS = Path(__file__).parents[1] / "unit" / "adapters" / "evidence" / "rows.py"
spec = importlib.util.spec_from_file_location("evidence_rows", ROWS)
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)


def key_of(index):
    """Return the data key of a record: one of five."""
    return bytes([index % 5]) * 16


def main():
    """Go on where the store is; every fiftieth record erases one of the five keys' rows before it."""
    store = DuckStore(Path(sys.argv[1]), FileWrappingKey(bytes(32)), segment_rows=60)
    store.forget(lambda _index: None)
    while True:
        index = store.next_index
        items = [made.item(index * 4 + number) for number in range(4)]
        rows = projection.rows(made.batch(index, items), index, key_of(index))
        gone = [Erasure(index, (key_of(index + 1).hex(),))] if index % 50 == 49 else []
        store.append(rows, index + 1, gone)
        print(index + 1, flush=True)  # noqa: T201 - the parent reads it
        store.forget(lambda _index: None)
        store.roll(everything=index % 20 == 19)


if __name__ == "__main__":
    main()
