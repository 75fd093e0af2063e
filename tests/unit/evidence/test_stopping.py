"""A question that is told to stop stops, whatever it does at the moment; nothing else does."""

import importlib.util
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sealgate.adapters.evidence import engine
from sealgate.adapters.evidence.store import DuckStore
from sealgate.adapters.keys.file import FileWrappingKey
from sealgate.evidence import projection
from sealgate.evidence.stopping import Stop
from sealgate.model.errors import UnavailableError

_SPEC = importlib.util.spec_from_file_location(
    "evidence_rows", Path(__file__).parents[1] / "adapters" / "evidence" / "rows.py"
)
rows = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(rows)

ENDLESS = "SELECT sum(hash(a.range + b.range)) FROM range(10000000) a, range(10000000) b"
"""Days of work; the store's own limit in these tests is a minute."""

SOON_S = 30.0


@pytest.fixture(name="store")
def _store(tmp_path):
    store = DuckStore(tmp_path / "store", FileWrappingKey(bytes(32)))
    yield store
    store.close()


@pytest.fixture(name="threads")
def _threads():
    with ThreadPoolExecutor(4) as pool:
        yield pool


def _fetch(store, sql, begun=None):
    with store.session() as session:
        if begun is not None:
            begun.set()
        return session.fetch(sql)


def test_a_statement_is_interrupted(store, threads):
    """Which without being told goes on."""
    stop, begun = Stop(), threading.Event()
    asked = threads.submit(stop.run, lambda: _fetch(store, ENDLESS, begun))
    assert begun.wait(SOON_S)
    time.sleep(0.5)
    assert not asked.done()

    stop.tell()

    with pytest.raises(UnavailableError, match="took too long"):
        asked.result(SOON_S)
    assert _fetch(store, "SELECT 7") == [(7,)]


def test_a_statement_that_begins_late_is_interrupted_too(store, threads, monkeypatch):
    """The store forgets an interrupt that comes before; that is why it comes again."""
    real, begun = engine._run, threading.Event()

    def late(connection, sql, parameters):
        if sql == ENDLESS:
            begun.set()
            time.sleep(0.3)
        return real(connection, sql, parameters)

    monkeypatch.setattr(engine, "_run", late)
    stop = Stop()
    asked = threads.submit(stop.run, lambda: _fetch(store, ENDLESS))
    assert begun.wait(SOON_S)
    stop.tell()
    with pytest.raises(UnavailableError):
        asked.result(SOON_S)


def test_a_question_of_many_statements_ends_with_the_next_one(store, threads):
    """None of them is long, and together they have no end."""
    stop, begun = Stop(), threading.Event()

    def question():
        while True:
            _fetch(store, "SELECT 1", begun)
            time.sleep(0.1)

    asked = threads.submit(stop.run, question)
    assert begun.wait(SOON_S)
    time.sleep(0.05)  # it is between two statements, where an interrupt meets nothing
    stop.tell()
    with pytest.raises(UnavailableError):
        asked.result(SOON_S)


def test_a_question_that_was_told_before_does_not_begin():
    """One that was not does."""
    stop, begun = Stop(), []
    stop.tell()
    with pytest.raises(UnavailableError, match="told to stop"):
        stop.run(lambda: begun.append(1))
    assert begun == []
    assert Stop().run(lambda: 7) == 7


@pytest.mark.timeout(300)
def test_nothing_else_is_interrupted(store, threads):
    """A question that will not end is interrupted again and again: the writer and other questions notice nothing."""
    stop, interrupted, leave = Stop(), [], threading.Event()

    def stubborn():
        while not leave.is_set():
            try:
                _fetch(store, ENDLESS)
            except UnavailableError:
                interrupted.append(time.monotonic())
                time.sleep(0.01)

    def write():
        for index in range(30):
            items = [rows.item(index * 400 + number) for number in range(400)]
            store.append(projection.rows(rows.batch(index, items), index, bytes(16)), index + 1)
            store.roll(everything=index % 10 == 9)

    asked = threads.submit(stop.run, stubborn)
    time.sleep(0.2)
    stop.tell()
    sql = "SELECT sum(a.range % 7) FROM range(100000000) a"
    others = [threads.submit(Stop().run, lambda: _fetch(store, sql)), threads.submit(_fetch, store, sql)]
    try:
        threads.submit(write).result(120)
        assert [other.result(120) for other in others] == [[(299999995,)]] * 2
    finally:
        leave.set()
    asked.result(SOON_S)
    assert len(interrupted) > 3
    assert (store.next_index, sum(store.counts())) == (30, 12000)


def _until_nobody_insists():
    deadline = time.monotonic() + SOON_S
    while "stopping" in [thread.name for thread in threading.enumerate()]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_who_insists_ends_with_the_question():
    """No thread stays behind, told once or often, in time or too late."""
    _until_nobody_insists()  # who insisted for the test before ends a moment after its question
    stop, told = Stop(), threading.Event()
    asked = threading.Thread(target=lambda: stop.run(told.wait))
    asked.start()
    for _ in range(3):
        stop.tell()
    assert [thread.name for thread in threading.enumerate()].count("stopping") == 1
    told.set()
    asked.join()
    stop.tell()
    late = Stop()
    late.run(lambda: None)
    late.tell()
    _until_nobody_insists()
