"""The desk has a question stopped that it gave up: it costs nothing any more, and nobody else notices."""

import asyncio
import threading
import time

import pytest

from sealgate.access.desk import Asked
from sealgate.evidence.answers import Filter
from sealgate.model.errors import NotPermittedError

from .conftest import CALLER, question
from .test_reading import _in_room, _who

COSTLY = "SELECT sum(hash(a.range + b.range)) FROM range(10000000) a, range(10000000) b"
"""Days of work; the store's own limit here is a minute."""

WHY = Asked(caller=_who("investigator"), reason="x")


def _costly(room):
    with room.store.session() as session:
        return session.fetch(COSTLY)


async def _until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - of other threads
            await asyncio.sleep(0.01)


async def _share():
    """Return how much of a second this process computes, the store's threads included."""
    spent, begun = time.process_time(), time.monotonic()
    await asyncio.sleep(1.0)
    return (time.process_time() - spent) / (time.monotonic() - begun)


async def _computes(share):
    """Wait until it computes as this tells: other processes may take the processors for a while."""
    async with asyncio.timeout(30):
        while not share(await _share()):
            pass


def _much(share):
    return share > 0.4


def _little(share):
    return share < 0.4


class Following:
    """The thread that follows the journal into the store, as in the service."""

    def __init__(self, room):
        self.failures, self._stop = [], threading.Event()
        self._thread = threading.Thread(
            target=room.consumer.run, args=(self._stop,), kwargs={"idle_s": 0.1, "failed": self._failed}
        )

    def _failed(self, error):
        self.failures.append(error)
        return 0.01

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(30)


async def _recorded(room, count):
    """Let the authority decide; return when all that is in its journal is in the store."""
    for _ in range(count):
        await room.authority.evaluate(question(agent="a1", to="bob", amount=5), CALLER, None)
    size = room.kit.reader.size
    await _until(lambda: room.consumer.status().projected >= size)


def test_a_costly_question_computes_on_until_it_is_stopped(kit):
    """Positive control: with time it takes it, on both threads, and nothing else ends it; the journal is followed."""

    async def scenario(room):
        with Following(room) as following:
            lane = room.desk.lane
            asked = asyncio.gather(*(lane.run(lambda: _costly(room), timeout_s=60) for _ in range(2)))
            await asyncio.sleep(2.5)
            await _computes(_much)
            assert (asked.done(), lane.under_way) == (False, 2)
            await _recorded(room, 5)
            asked.cancel()
            await _until(lambda: lane.under_way == 0)
            await _computes(_little)
        assert following.failures == []

    _in_room(kit, scenario)


def test_a_costly_question_stops_computing_soon_after_it_was_given_up(kit):
    """Both threads are free again; the journal is followed meanwhile and afterwards."""

    async def scenario(room):
        status, room.desk.queries.status = room.desk.queries.status, lambda: _costly(room)
        with Following(room) as following:
            begun = time.monotonic()
            asked = asyncio.gather(*(room.desk.status(WHY) for _ in range(2)), return_exceptions=True)
            await _recorded(room, 5)
            assert [error.code for error in await asked] == ["query-too-long"] * 2
            await _until(lambda: room.desk.lane.under_way == 0)
            assert time.monotonic() - begun < 20  # long before the store itself would have ended it
            await _computes(_little)
            assert [body["refusal"] for body in room.accesses()] == ["query-too-long"] * 2

            room.desk.queries.status = status
            room.desk.lane._timeout_s = 30.0
            await _recorded(room, 5)
            answers = await asyncio.gather(room.desk.status(WHY), room.desk.search(Filter(kind="decision"), WHY))
            assert len(answers[1][0].rows) == 13
        assert following.failures == []

    _in_room(kit, scenario, timeout_s=1.0)


def test_a_question_that_nobody_waits_for_any_more_is_stopped(kit):
    """Its asker went away."""

    async def scenario(room):
        asked = asyncio.ensure_future(room.desk.lane.run(lambda: _costly(room)))
        await asyncio.sleep(0.3)
        assert room.desk.lane.under_way == 1
        asked.cancel()
        await _until(lambda: room.desk.lane.under_way == 0)
        await _computes(_little)

    _in_room(kit, scenario)


def test_a_question_given_up_while_it_waits_never_begins(kit):
    """One that is not does."""

    async def scenario(room):
        lane, begun = room.desk.lane, []
        first = asyncio.ensure_future(lane.run(lambda: _costly(room), timeout_s=50))
        await asyncio.sleep(0.05)
        patient = asyncio.ensure_future(lane.run(lambda: begun.append("patient"), timeout_s=50))
        with pytest.raises(NotPermittedError):
            await lane.run(lambda: begun.append("given up"), timeout_s=0.2)
        await _until(lambda: lane.under_way == 2)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await patient
        await lane.run(lambda: begun.append("next"))
        assert begun == ["patient", "next"]
        await _until(lambda: lane.under_way == 0)
        assert lane.too_long == 1

    _in_room(kit, scenario, threads=1)


def test_an_export_that_takes_too_long_is_stopped(kit):
    """Also in what it computes before it writes."""

    async def scenario(room):
        room.desk.queries.export = lambda *_asked, **_how: _costly(room)
        with pytest.raises(NotPermittedError):
            await room.exports.make(Filter(), "bundle", WHY)
        await _until(lambda: room.desk.lane.under_way == 0)
        await _computes(_little)

    _in_room(kit, scenario, export_timeout_s=0.5)


def test_the_store_closes_while_a_costly_question_runs(kit):
    """A service that is stopped does not wait for it."""

    async def scenario(room):
        asked = asyncio.ensure_future(room.desk.lane.run(lambda: _costly(room)))
        await asyncio.sleep(0.3)
        begun = time.monotonic()
        room.close()
        assert time.monotonic() - begun < 20
        asked.cancel()

    _in_room(kit, scenario)
