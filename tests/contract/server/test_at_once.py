"""A question that nobody shares is begun at once, outside of a task; many are answered in tasks, in groups."""

import asyncio
import json
import re
import time

import pytest

from sealgate.model.errors import UnavailableError

GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
ALONE_AFTER_S = 0.02
"""A question that comes so long after another connection's is taken for alone."""


class Clock:
    """Counts the questions that came so long after what was asked before that they may be taken for alone.

    That is as the client sees it, for whom everything takes a little longer than for the server.
    """

    def __init__(self):
        self.late = 0
        self._before = self._began = time.monotonic()

    def ask(self, raw, data):
        """Exchange; return the status."""
        self._before, self._began = self._began, time.monotonic()
        answer = _exchange(raw, data)
        self.late += time.monotonic() - self._before > ALONE_AFTER_S
        return _status(answer)


@pytest.fixture(name="seen")
def _seen(served, monkeypatch):
    """Notes of each question whether it was said to be alone, and whether it was begun outside of a task."""
    notes = []
    evaluate = served.twin.evaluate

    async def noted(request, caller, request_id, *, alone=False):
        notes.append((alone, asyncio.current_task() is None))
        if request.action.name == "broken":
            raise RuntimeError
        if request.action.name == "unavailable":
            raise UnavailableError("not now")
        return await evaluate(request, caller, request_id, alone=alone)

    monkeypatch.setattr(served.twin, "evaluate", noted)
    return notes


def _asking(action="send_money"):
    body = json.dumps(
        {
            "subject": {"type": "agent", "id": "a1"},
            "action": {"name": action},
            "resource": {"type": "tool_server", "id": "bank"},
        }
    ).encode()
    head = b"POST /access/v1/evaluation HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _exchange(raw, data):
    """Send bytes and return the first whole answer."""
    raw.sendall(data)
    return _answer(raw)


def _answer(raw):
    received = b""
    while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < _length(received):
        part = raw.recv(65536)
        assert part
        received += part
    return received


def _length(received):
    return int(re.search(rb"content-length: ([0-9]+)", received)[1])


def _status(received):
    return int(received.split(b" ", 2)[1])


def test_one_caller_is_answered_at_once(served, seen):
    """Every question of one connection, as long as no other connection asks."""
    with served.connect() as raw:
        assert [_status(_exchange(raw, _asking())) for _ in range(5)] == [200] * 5

    assert seen == [(True, True)] * 5


def test_callers_that_come_together_are_not(served, seen):
    """Two connections in turns: all but the first question are answered in tasks; after a pause one is alone again."""
    clock = Clock()
    with served.connect() as one, served.connect() as other:
        for _ in range(20):
            assert clock.ask(one, _asking()) == 200
            assert clock.ask(other, _asking()) == 200
        together = list(seen)
        time.sleep(0.2)
        _exchange(one, _asking())

    assert (True, False) not in seen  # only who is alone is begun outside of a task
    assert (False, True) not in seen
    assert together.count((True, True)) <= 1 + clock.late  # but for pauses of the machine
    assert seen[-1] == (True, True)


def test_any_request_of_others_counts(served, seen):
    """Who asks while others do something else is not alone either."""
    clock = Clock()
    with served.connect() as one, served.connect() as other:
        for _ in range(20):
            clock.ask(other, GET)
            clock.ask(one, _asking())

    assert seen.count((False, False)) >= 20 - clock.late


def test_what_must_wait_goes_on_in_a_task(served, seen):
    """The connection and all others are served meanwhile, and the answer comes when it can."""
    with served.connect() as raw:
        raw.sendall(_asking("slow"))
        while not served.twin.waiting:
            time.sleep(0.01)
        with served.connect() as other:
            assert _status(_exchange(other, GET)) == 200
        served.call(served.twin.release.set)
        assert _status(_answer(raw)) == 200

        assert _status(_exchange(raw, _asking())) == 200
    assert seen[0] == (True, True)


def test_a_caller_that_leaves_meanwhile_does_not_stop_it(served, seen):
    """Its decision is finished, and the server goes on."""
    with served.connect() as raw:
        raw.sendall(_asking("slow"))
        while not served.twin.waiting:
            time.sleep(0.01)
    served.call(served.twin.release.set)
    deadline = time.monotonic() + 30
    while not served.twin.calls and time.monotonic() < deadline:
        time.sleep(0.01)

    assert len(served.twin.calls) == 1
    with served.connect() as raw:
        assert _status(_exchange(raw, GET)) == 200
    assert seen == [(True, True)]


@pytest.mark.parametrize(("action", "status"), [("broken", 500), ("unavailable", 503)])
def test_its_errors_are_answers(served, seen, action, status):
    """As in a task; the connection can be used again."""
    with served.connect() as raw:
        assert _status(_exchange(raw, _asking(action))) == status
        assert _status(_exchange(raw, _asking())) == 200

    assert seen == [(True, True)] * 2


def test_what_comes_behind_it_keeps_its_place(served, seen):
    """Pipelined questions, other requests and garbage after it are answered in order."""
    with served.connect() as raw:
        raw.sendall(_asking() + GET + _asking() + b"garbage\r\n\r\n")
        received = b""
        while part := raw.recv(65536):
            received += part

    assert [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", received)] == [200, 200, 200, 400]
    assert received.index(b'"decision"') < received.index(b'{"status":"ok"}') < received.rindex(b'"decision"')
    assert len(seen) == 2
