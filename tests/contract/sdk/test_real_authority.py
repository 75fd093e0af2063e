"""The client against ``sealgate serve``: whole sequences, and the authority killed in the middle of them."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from sealgate.demo.authority import Authority
from sealgate.encoding import canonical
from sealgate.model.errors import InputError
from sealgate.sdk import AsyncClient, AuthorityUnreachable, Client, RequestRefused
from sealgate.sdk.http1 import write_request


@contextlib.contextmanager
def client_of(authority: Authority, folder: Path) -> Iterator[Client]:
    """A client whose connections, both kinds, are closed afterwards, when it has no report to deliver any more.

    Its thread would deliver them into the next test, where the authority's counters are looked at.
    """
    client = Client(agent="a1", server="bank", socket=authority.socket, spool=folder / "spool", timeout_s=30)
    try:
        yield client
        until = time.monotonic() + 60
        while client.core.courier.flush():
            assert time.monotonic() < until, "a report was not delivered"
            time.sleep(0.02)
    finally:
        asyncio.run(client.core.aclose())


@pytest.fixture(name="client")
def _client(real_authority, tmp_path):
    """A client of the real authority."""
    with client_of(real_authority, tmp_path) as client:
        yield client


@pytest.fixture(scope="module", name="own")
def _own(tmp_path_factory, permissive_policy):
    """A real authority to be killed; its counters begin at nothing after each kill."""
    with Authority(tmp_path_factory.mktemp("killed") / "gate") as running:
        running.publish(permissive_policy)
        yield running


def kill(authority: Authority) -> None:
    """End the authority as a power cut would."""
    os.kill(authority.pid, signal.SIGKILL)
    assert authority._process is not None
    authority._process.wait()
    authority._process = None


def body(authority: Authority, record_id: str) -> dict:
    """The body of a record, as its receipt has it."""
    return orjson.loads(authority.receipt(record_id)["body"])


@pytest.mark.parametrize("redeem", ["with_decision", "before_body"])
@pytest.mark.parametrize("kind", ["blocking", "awaiting"])
def test_permit_redeem_outcome(real_authority, client, redeem, kind):
    """Decision, redemption and outcome are one, two or three records that name each other, in that order."""
    names = ("sealgate_records_total", "sealgate_permits_reported_total")
    before = {name: real_authority.metric(name) for name in names}
    calls = []
    decision = _watch(client, calls)

    if kind == "blocking":

        @client.guard(redeem=redeem)
        def act(a):
            return a

        assert act(7) == 7
    else:

        @client.guard(redeem=redeem)
        async def act(a):
            return a

        assert asyncio.run(act(7)) == 7
    judged = body(real_authority, decision()["context"]["record_id"])

    assert [call.path for call, _ in calls] == [
        "/access/v1/evaluation",
        *(["/v1/permits/redeem"] if redeem == "before_body" else []),
        "/v1/outcomes",
    ]
    assert (judged["kind"], judged["agent"]["id"], judged["tool"]["name"]) == ("decision", "a1", "act")
    assert judged["permit"]["redeemed"] == (redeem == "with_decision")
    outcome = body(real_authority, orjson.loads(calls[-1][1].body)["record_id"])
    assert (outcome["decision_id"], outcome["status"]) == (judged["record_id"], "succeeded")
    assert outcome["output_size_bytes"] == 1
    made = real_authority.metric("sealgate_records_total") - before["sealgate_records_total"]
    assert made == len(calls)
    assert real_authority.metric("sealgate_permits_reported_total") == before["sealgate_permits_reported_total"] + 1


def _watch(client, calls):
    """Note each exchange of a client; return what gives the first answer."""
    core = client.core
    send, asynchronous = core.transport.send, core.async_transport.send

    def noted(call):
        answer = send(call)
        calls.append((call, answer))
        return answer

    async def noted_async(call):
        answer = await asynchronous(call)
        calls.append((call, answer))
        return answer

    core.transport.send, core.async_transport.send = noted, noted_async
    return lambda: orjson.loads(calls[0][1].body)


def test_a_permit_works_once(real_authority, client):
    """By hand, in both clients: the second redemption and the wrong arguments are refused."""
    decision = client.decide("act", {"a": 1})
    with pytest.raises(RequestRefused) as wrong:
        client.redeem(decision, "act", {"a": 2})
    client.redeem(decision, "act", {"a": 1})

    async def again():
        async with AsyncClient(core=client.core) as asynchronous:
            await asynchronous.redeem(decision, "act", {"a": 1})

    with pytest.raises(RequestRefused) as twice:
        asyncio.run(again())
    client.report(decision, "succeeded")

    assert (wrong.value.code, twice.value.code) == ("permit-mismatch", "permit-already-redeemed")


def test_both_sides_speak_the_fast_form(real_authority, client, monkeypatch):
    """Questions and answers are compact JSON, so neither side's strict parser takes its slow way, and all is strict."""
    calls = []
    _watch(client, calls)

    def slow(data):
        pytest.fail(f"parsed slowly: {data!r}")

    monkeypatch.setattr(canonical, "_parse_slowly", slow)

    @client.guard(redeem="before_body")
    def act(a, b):
        return a

    with client.task("goal"), client.step("why", "because"):
        act({"ä": 1.5}, [True, None, "\u2028"])
    client.log_event("event", {"n": 1})

    assert len(calls) == 3
    for call, answer in calls:
        assert orjson.dumps(orjson.loads(call.body)) == call.body
        assert orjson.dumps(orjson.loads(answer.body)) == answer.body
        assert b"\r\nPrefer: handling=strict\r\n" in write_request(call.method, call.path, call.body, None)
    monkeypatch.undo()
    with pytest.raises(InputError):  # positive control: the slow way exists and is found
        canonical.parse(b'{"a": 1, "a": 2}')


@pytest.mark.parametrize("kind", ["blocking", "awaiting"])
def test_killed_before_the_decision(own, tmp_path, kind):
    """No authority, no action; when it is back the same guard works."""
    ran = []
    with client_of(own, tmp_path) as client:
        act = _guarded(client, kind, ran)
        assert act(1) == 1
        kill(own)
        with pytest.raises(AuthorityUnreachable):
            act(2)
        own.start()

        assert act(3) == 3
        assert ran == [1, 3]


def _guarded(client, kind, ran, during=lambda: None, **options):
    """Return a guarded function of one argument, called in the ordinary way."""

    def work(a):
        during()
        ran.append(a)
        return a

    if kind == "blocking":

        @client.guard(**options)
        def act(a):
            return work(a)

        return act

    @client.guard(**{"tool": "act", **options})
    async def later(a):
        return work(a)

    def act_async(a):
        return asyncio.run(later(a))

    return act_async


@pytest.mark.parametrize("kind", ["blocking", "awaiting"])
def test_killed_between_decision_and_redemption(own, tmp_path, kind):
    """The permit is out, the redemption finds nobody: the body does not run, also not after the restart."""
    ran = []
    with client_of(own, tmp_path) as client:
        real = client.core.decide

        def decide(*arguments, **options):
            decision = yield from real(*arguments, **options)
            kill(own)
            return decision

        client.core.decide = decide
        act = _guarded(client, kind, ran, tool="act", redeem="before_body")
        with pytest.raises(AuthorityUnreachable):
            act(1)
        own.start()
        client.core.decide = real

        assert act(2) == 2
        assert ran == [2]
        assert own.metric("sealgate_permits_redeemed_total") == 1


@pytest.mark.parametrize("kind", ["blocking", "awaiting"])
def test_killed_while_the_body_runs(own, tmp_path, kind):
    """The outcome waits in the spool and is recorded exactly once after the restart, even if it is sent again."""
    ran = []
    with client_of(own, tmp_path) as client:
        act = _guarded(client, kind, ran, lambda: kill(own), tool="act")
        assert act(1) == 1
        (waiting,) = list(client.core.courier.spool.waiting())
        report = waiting.path.read_bytes()
        assert own._process is None
        own.start()
        until = time.monotonic() + 60
        while client.flush():
            assert time.monotonic() < until
            time.sleep(0.02)
        recorded = own.metric("sealgate_permits_reported_total")
        whole = waiting.path.with_name(f".{waiting.path.name}.new")
        whole.write_bytes(report)
        whole.rename(waiting.path)  # as if the client had died before it could forget the report
        while client.flush():
            assert time.monotonic() < until
            time.sleep(0.02)

        assert ran == [1]
        assert client.core.courier.spool.refused() == 0
        assert recorded == 1
        assert own.metric("sealgate_permits_reported_total") == recorded
