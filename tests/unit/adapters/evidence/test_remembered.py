"""What the store remembers of itself, so as not to ask: always what the database would say."""

import contextlib
import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealgate.adapters.evidence.engine import Engine
from sealgate.adapters.evidence.store import DuckStore
from sealgate.adapters.keys.file import FileWrappingKey
from sealgate.evidence import projection, searching
from sealgate.evidence.answers import Filter
from sealgate.model.errors import UnavailableError
from sealgate.ports.evidence import Erasure

_SPEC = importlib.util.spec_from_file_location("evidence_rows", Path(__file__).with_name("rows.py"))
made = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made)

KEK = FileWrappingKey(bytes(32))
KEYS = [bytes([number]) * 16 for number in range(3)]
MONTHS = ("2026-07", "2026-08", "2026-09")


def asked(store):
    """What the database says of its months, and whether erasures wait."""
    sql = f"SELECT strftime(time, '%Y-%m'), count(*) FROM {store.database}.rows GROUP BY 1"
    with store.session() as view:
        return dict(view.fetch(sql)), bool(view.fetch(f"SELECT 1 FROM {store.database}.pending"))


def remembered(store):
    """The same as the store would have it."""
    return {month: rows for month, rows in store._hot.months().items() if rows}, store.pending()


def rows(index, numbers, month="2026-09", key=KEYS[0]):
    """The rows of one batch record."""
    items = [made.item(number, time=f"{month}-{number % 28 + 1:02d}T10:00:00.000Z") for number in numbers]
    return projection.rows(made.batch(index, items), index, key)


def ids(store):
    """All ids, newest first."""
    return [row[2] for page in searching.every_row(store, Filter()) for row in page]


class _Operations:
    """Does things to a store, one after the other, and opens it again after what a crash would leave."""

    def __init__(self, folder):
        self.folder = folder
        self.number = 0
        self.store = DuckStore(folder, KEK, segment_rows=20)

    def append(self, month, *, known=False):
        """Append twelve items, some of them again if ``known``."""
        index = self.store.next_index
        first = max(0, self.number - 5) if known else self.number
        self.store.append(rows(index, range(first, self.number + 12), MONTHS[month], KEYS[month]), index + 1)
        self.number += 12

    def fail(self, month):
        """Try to append what the engine refuses."""
        index = self.store.next_index
        (first, *_) = rows(index, [self.number], MONTHS[month])
        with contextlib.suppress(TypeError):
            self.store.append([(*first[:5], object(), *first[6:])], index + 1, [Erasure(index, (KEYS[0].hex(),))])

    def erase(self, month, *, held=False):
        """Erase a key; carried out with all rows gone, or with their bodies held under another key."""
        index = self.store.next_index
        self.store.append([], index + 1, [Erasure(index, (KEYS[month].hex(),), certain=not held)])
        assert self.store.pending()
        self.store.forget(lambda _index: os.urandom(16).hex() if held else None)

    def reopen(self, month):
        """Close and open; an erasure still waits."""
        index = self.store.next_index
        self.store.append([], index + 1, [Erasure(index, (KEYS[month].hex(),))])
        self.store.close()
        self.store = DuckStore(self.folder, KEK, segment_rows=20)
        assert self.store.pending()


STEPS = {
    "append": lambda room, month: room.append(month),
    "again": lambda room, month: room.append(month, known=True),
    "fail": lambda room, month: room.fail(month),
    "roll": lambda room, _month: room.store.roll(),
    "roll everything": lambda room, _month: room.store.roll(everything=True),
    "erase": lambda room, month: room.erase(month),
    "hold": lambda room, month: room.erase(month, held=True),
    "reopen": lambda room, month: room.reopen(month),
    "forget": lambda room, _month: room.store.forget(lambda _index: None),
}


@pytest.mark.timeout(600)
@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["append", *sorted(STEPS)]), st.integers(0, 2)), min_size=3, max_size=12))
def test_what_is_remembered_is_what_the_database_says(tmp_path_factory, steps):
    """After each of any steps; a store that begins anew after them remembers the same."""
    room = _Operations(tmp_path_factory.mktemp("remembered") / "store")
    room.append(0)
    assert remembered(room.store) == ({"2026-07": 12}, False)
    for name, month in steps:
        STEPS[name](room, month)
        if name != "fail":  # an erasure that was not stored may be waited for in vain, once
            assert remembered(room.store)[1] == asked(room.store)[1]
        assert remembered(room.store)[0] == asked(room.store)[0]
        room.store.forget(lambda _index: None)
        assert remembered(room.store) == asked(room.store)
    room.store.close()


@pytest.mark.parametrize("durable", [False, True])
def test_a_commit_of_unknown_outcome_is_asked_about(tmp_path, monkeypatch, durable):
    """A commit that failed, or came about and was reported as failed: the database says which."""
    store = DuckStore(tmp_path / "store", KEK)
    store.append(rows(0, range(3)), 1)
    assert remembered(store) == ({"2026-09": 3}, False)
    execute = Engine.execute

    def failing(engine, sql, parameters=()):
        if sql != "COMMIT":
            return execute(engine, sql, parameters)
        if durable:
            execute(engine, sql)
        raise UnavailableError("the disk failed")

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "execute", failing)
        with pytest.raises(UnavailableError):
            store.append(rows(1, range(3, 7)), 2)

    assert store.next_index == (2 if durable else 1)
    assert remembered(store) == asked(store) == ({"2026-09": 7 if durable else 3}, False)
    store.close()


def test_rows_of_earlier_months_are_rolled_when_a_month_begins(tmp_path):
    """Once a later month has begun, the rows before it make a segment if there are enough; all rows stay."""
    store = DuckStore(tmp_path / "store", KEK, segment_rows=100)
    store.append(rows(0, range(4), "2026-07"), 1)
    store.append(rows(1, range(4, 12), "2026-08"), 2)
    assert store.roll() == 0  # four are too few
    store.append(rows(2, range(12, 13), "2026-09"), 3)
    before = ids(store)
    assert store.roll() == 1
    assert store.counts() == (1, 12)
    assert remembered(store) == asked(store) == ({"2026-09": 1}, False)
    assert ids(store) == before
    assert store.roll() == 0
    store.close()


def test_rows_with_and_without_a_chain_stand_side_by_side(tmp_path):
    """Columns that nothing of an append fills are empty, and without a task there is no chain; with one there is."""
    store = DuckStore(tmp_path / "store", KEK)
    lone = {name: value for name, value in made.item(1).items() if name != "task_id"}
    store.append(projection.rows(made.batch(0, [lone]), 0, None), 1)
    with store.session() as view:
        assert view.fetch(f"SELECT count(*) FROM {store.database}.chains") == [(0,)]
    store.append(rows(1, [20]), 2)
    sql = f"SELECT CAST(id AS VARCHAR), task_id, CAST(key_id AS VARCHAR) FROM {store.database}.rows"
    with store.session() as view:
        assert view.fetch(f"{sql} ORDER BY journal_index") == [
            (made.record_id(1), None, None),
            (made.record_id(20), "task-2", "00000000-0000-0000-0000-000000000000"),
        ]
        assert view.ranges(["ttask-2"]) == [(1, 1)]
    store.close()
