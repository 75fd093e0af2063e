"""The evidence store, killed at random moments: no row lost, none twice, no erased row back, no file left over."""

import importlib.util
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sealgate.adapters.evidence.store import DuckStore
from sealgate.adapters.keys.file import FileWrappingKey
from sealgate.evidence import searching
from sealgate.evidence.answers import Filter

CHILD = Path(__file__).with_name("evidence_child.py")
ROUNDS = 8

_SPEC = importlib.util.spec_from_file_location("evidence_child", CHILD)
child = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(child)


def expected(size):
    """What the store holds after ``size`` records: the last erasure of each key counts."""
    erased = {}
    for index in range(49, size, 50):
        erased[child.key_of(index + 1)] = index
    return {
        (index, place) for index in range(size) if index > erased.get(child.key_of(index), -1) for place in range(4)
    }


@pytest.mark.timeout(600)
def test_kill_9_loses_no_row_and_doubles_none(tmp_path):
    """Whenever the process dies, the store opens, holds what its index says, and was told to nobody too early."""
    choose = random.Random(3)  # noqa: S311 - moments, not secrets
    told = 0
    for _ in range(ROUNDS):
        process = subprocess.Popen([sys.executable, str(CHILD), str(tmp_path / "store")], stdout=subprocess.PIPE)
        # Counted, not timed: the store comes as far on a busy machine as on any.
        lines = [process.stdout.readline() for _ in range(choose.randrange(8, 30))]
        time.sleep(choose.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
        told = max(told, *(int(line) for line in lines if line.strip().isdigit()))
        store = DuckStore(tmp_path / "store", FileWrappingKey(bytes(32)), segment_rows=60)
        store.forget(lambda _index: None)
        size = store.next_index
        rows = [(row[0], row[1]) for rows in searching.every_row(store, Filter()) for row in rows]
        hot = [path.name for path in store.directory.glob("hot-*") if not path.name.endswith(".wal")]
        warm = len(list((store.directory / "warm").iterdir()))
        with store.session() as view:
            listed = len(view.parts) - 1
        store.close()
        assert size >= told
        assert len(rows) == len(set(rows))
        assert set(rows) == expected(size)
        assert (len(hot), warm) == (1, listed)
    assert told > 50
