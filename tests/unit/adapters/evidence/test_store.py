"""The store: every row once, hot and warm alike; erasures leave neither rows nor bytes."""

import importlib.util
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealgate.adapters.evidence.store import DuckStore
from sealgate.adapters.keys.file import FileWrappingKey
from sealgate.evidence import aggregating, finding, projection, searching
from sealgate.evidence.answers import Filter
from sealgate.model.errors import ConfigurationError, InputError, UnavailableError
from sealgate.ports.evidence import Erasure

_SPEC = importlib.util.spec_from_file_location("evidence_rows", Path(__file__).with_name("rows.py"))
made = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made)

KEK = FileWrappingKey(bytes(32))


def included(_index):
    """Say that everything is included."""
    return "included"


def take(store, index, items, key=made.KEY, **more):
    """Append one batch record."""
    store.append(projection.rows(made.batch(index, items, **more), index, key), index + 1)


@pytest.fixture(name="store")
def _store(tmp_path):
    """An empty store with small segments."""
    store = DuckStore(tmp_path / "store", KEK, segment_rows=100)
    yield store
    store.close()


def ids(store, asked=None, limit=7):
    """All ids of a search, page after page."""
    found, after = [], None
    while True:
        page = searching.search(store, asked or Filter(), included, after=after, limit=limit)
        found += [row.id for row in page.rows]
        if page.next is None:
            return found
        after = page.next


def test_an_item_that_comes_again_is_one_row(store):
    """The same item id in a later batch makes no second row, hot or warm; a new id does."""
    take(store, 0, [made.item(1), made.item(1), made.item(2)])
    take(store, 1, [made.item(2), made.item(3)])
    assert sorted(ids(store)) == [made.record_id(number) for number in (1, 2, 3)]
    store.roll(everything=True)
    take(store, 2, [made.item(3), made.item(4)])
    assert len(ids(store)) == 4
    assert store.counts() == (1, 3)


def test_what_is_no_item_makes_no_row(store):
    """Malformed items are left out one by one; the good ones beside them are found."""
    take(store, 0, [{"kind": "reasoning"}, made.item(1), ["x"], made.item(2, time="yesterday")])
    assert ids(store) == [made.record_id(1)]


def test_erasing_a_key_takes_its_rows_from_hot_and_warm(store):
    """Rows under a destroyed key go, others stay; no file that held them is left."""
    other = os.urandom(16)
    take(store, 0, [made.item(number) for number in range(10)])
    take(store, 1, [made.item(number) for number in range(10, 20)], key=other)
    store.roll(everything=True)
    take(store, 2, [made.item(number) for number in range(20, 30)], key=other)
    before = {path.name for path in store.directory.rglob("*") if path.suffix in {".duckdb", ".parquet"}}
    store.append([], 4, [Erasure(3, (other.hex(),))])
    assert store.pending()
    assert store.forget(lambda _index: None) == 20
    assert not store.pending()
    assert sorted(ids(store)) == [made.record_id(number) for number in range(10)]
    after = {path.name for path in store.directory.rglob("*") if path.suffix in {".duckdb", ".parquet"}}
    assert not before & after  # each was written anew, under another key
    assert store.next_index == 4


def test_held_bodies_stay_under_their_new_key(store):
    """A key that is destroyed after held bodies were sealed anew takes only what is not held."""
    held = os.urandom(16)
    take(store, 0, [made.item(1)])
    take(store, 1, [made.item(2)])
    store.append([], 3, [Erasure(2, (made.KEY.hex(),), certain=False)])
    assert store.forget(lambda index: held.hex() if index == 1 else None) == 1
    assert ids(store) == [made.record_id(2)]
    store.append([], 4, [Erasure(3, (held.hex(),))])
    assert store.forget(lambda _index: None) == 1
    assert ids(store) == []


def test_expiry_by_named_indexes_takes_exactly_those(store):
    """The bitmap of a retention.expired record names what goes."""
    import base64
    import zlib

    for index in range(12):
        take(store, index, [made.item(index)])
    bits = base64.urlsafe_b64encode(zlib.compress(bytes([0b00000101]))).decode().rstrip("=")
    store.append([], 13, [Erasure(12, (), certain=False, from_index=4, to_index=12, indexes=bits)])
    assert store.forget(lambda _index: made.KEY.hex()) == 2
    gone = {made.record_id(4), made.record_id(6)}
    assert set(ids(store)) == {made.record_id(number) for number in range(12)} - gone


def test_an_erasure_is_carried_out_after_a_restart(tmp_path):
    """An erasure that a crash interrupted is remembered with its rows and carried out by the next start."""
    store = DuckStore(tmp_path / "store", KEK)
    take(store, 0, [made.item(1)])
    store.append([], 2, [Erasure(1, (made.KEY.hex(),))])
    store.close()
    store = DuckStore(tmp_path / "store", KEK)
    assert store.pending()
    assert ids(store)
    assert store.forget(lambda _index: None) == 1
    assert ids(store) == []
    store.close()


def test_rolling_and_compaction_keep_every_row_and_its_order(store):
    """Rows answer alike before and after they are rolled over and segments are joined."""
    for index in range(40):
        take(store, index, [made.item(index * 10 + number) for number in range(10)])
    before = ids(store, limit=33)
    assert store.roll() >= 2
    assert ids(store, limit=33) == before
    assert len(before) == 400
    store.roll(everything=True)
    assert store.counts() == (0, 400)
    assert ids(store, limit=33) == before
    assert ids(store, Filter(task_id="task-7")) == [name for name in before if name in set(before[-80:-70])]
    with store.session() as session:
        assert finding.by_id(session, made.record_id(123)) is not None
        assert finding.by_id(session, made.record_id(9999)) is None


def test_a_failed_append_leaves_nothing(store):
    """Rows and the next index are one step: what cannot be stored changes neither."""
    take(store, 0, [made.item(1)])
    broken = projection.rows(made.batch(1, [made.item(2)]), 1, made.KEY)
    with pytest.raises(TypeError):
        store.append([(*broken[0][:5], object(), *broken[0][6:])], 2)
    assert store.next_index == 1
    assert len(ids(store)) == 1
    take(store, 1, [made.item(2)])
    assert len(ids(store)) == 2


def test_a_cursor_belongs_to_its_search(store):
    """A cursor continues the same filter only; any other text is refused."""
    take(store, 0, [made.item(number) for number in range(10)])
    page = searching.search(store, Filter(agent="a1"), included, after=None, limit=1)
    assert page.next is not None
    assert searching.search(store, Filter(agent="a1"), included, after=page.next, limit=1).rows != page.rows
    for text, asked in ((page.next, Filter()), ("x", Filter(agent="a1")), (page.next + "A", Filter(agent="a1"))):
        with pytest.raises(InputError, match="cursor"):
            searching.search(store, asked, included, after=text, limit=1)


def test_groups_and_measures_are_words_of_ours(store):
    """What is not in the tables of groups and measures never reaches SQL."""
    take(store, 0, [made.item(number, subjects=["s1", "s2"]) for number in range(9)])
    table = aggregating.aggregate(store, Filter(), group_by=("agent", "subject"), measure="count", limit=4)
    assert table.truncated
    assert table.rows[0][2] == 3
    for group_by, measure in ((("agent; DROP TABLE x",), "count"), ((), "count(*)"), (("rest",), "count")):
        with pytest.raises(InputError):
            aggregating.aggregate(store, Filter(), group_by=group_by, measure=measure, limit=10)


def test_readers_cannot_write_and_nothing_outside_can_be_named(store, tmp_path):
    """A view is read-only, settings are locked, other files are refused; the same view answers a question."""
    (tmp_path / "other.csv").write_text("a\n1\n")
    with store.session() as session:
        assert session.fetch("SELECT 1") == [(1,)]
        for sql in (
            f"DELETE FROM {store.database}.rows",
            f"SELECT * FROM read_csv('{tmp_path}/other.csv')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            "SET enable_external_access=true",
            "SET threads=1",
        ):
            with pytest.raises(UnavailableError):
                session.fetch(sql)
    assert not (tmp_path / "out.csv").exists()


def test_one_process_owns_a_store(store):
    """A second opening is refused; after closing it is not."""
    with pytest.raises(ConfigurationError, match="another process owns"):
        DuckStore(store.directory, KEK)
    store.close()
    DuckStore(store.directory, KEK).close()


@pytest.mark.timeout(600)
@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=25), st.integers(1, 11), st.booleans())
def test_pages_show_every_row_exactly_once_while_rows_are_added(tmp_path_factory, sizes, limit, roll):
    """Whatever is added or rolled over between pages: what was there at the start is shown once, in order."""
    store = DuckStore(tmp_path_factory.mktemp("pages") / "store", KEK, segment_rows=20)
    number = 0
    for index, size in enumerate(sizes):
        take(store, index, [made.item(number + one) for one in range(size)])
        number += size
    expected = {made.record_id(one) for one in range(number)}
    found, after, index = [], None, len(sizes)
    while True:
        page = searching.search(store, Filter(), included, after=after, limit=limit)
        found += [row.id for row in page.rows]
        if page.next is None:
            break
        after = page.next
        if index < len(sizes) + 5:
            take(store, index, [made.item(100_000 + index)])
            index += 1
            if roll:
                store.roll(everything=index % 2 == 0)
    store.close()
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_a_reader_beside_the_writer_sees_whole_appends(store):
    """Queries run while rows are added: each sees a whole number of batches, never a part."""
    stop, seen, problems = threading.Event(), [], []

    def read():
        while not stop.is_set():
            try:
                seen.append(aggregating.aggregate(store, Filter(), group_by=(), measure="count", limit=1).rows[0][0])
            except Exception as error:  # noqa: BLE001 - told below
                problems.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for index in range(30):
        take(store, index, [made.item(index * 10 + number) for number in range(10)])
        if index % 10 == 9:
            store.roll(everything=True)
    stop.set()
    thread.join()
    assert problems == []
    assert all(count % 10 == 0 for count in seen)
    assert seen == sorted(seen)
