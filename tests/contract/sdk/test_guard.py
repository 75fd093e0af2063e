"""``@guard``: what is judged is what runs, once, and its outcome is always reported."""

import asyncio
import hashlib
import inspect
import pathlib
import threading
import typing

import pytest

import sealgate
from sealgate.model.errors import ConfigurationError
from sealgate.sdk import ArgumentsRefused, Client, NotCoverable, ObligationUnmet, OutcomeNotReported, RequestRefused


def test_arguments_are_judged_by_name_with_defaults(authority, client):
    """Positional, keyword, variadic and default arguments all arrive under their names."""

    @client.guard
    def act(a, /, b, *rest, c=3, **more):
        return [a, b, list(rest), c, more]

    assert act(1, 2, 5, 6, d=[7]) == [1, 2, [5, 6], 3, {"d": [7]}]
    request = authority.decisions[0]
    assert request["context"]["input"] == {"a": 1, "b": 2, "rest": [5, 6], "c": 3, "more": {"d": [7]}}
    assert (request["subject"]["id"], request["action"]["name"]) == ("a1", "act")
    assert request["resource"] == {"type": "tool_server", "id": "bank"}


def test_wrong_arguments_fail_as_python_says(authority, client):
    """A call that does not fit the signature is a TypeError, and nobody is asked."""

    @client.guard
    def act(a):
        return a

    with pytest.raises(TypeError, match="missing a required argument"):
        act()
    assert authority.requests == []


def test_the_caller_cannot_change_what_was_judged(authority, client):
    """A dictionary that another thread changes while the decision is awaited: the body gets what was judged."""
    order = {"to": "alice", "lines": [1, 2]}

    def corrupt(path, _):
        if "evaluation" in path:
            order["to"] = "mallory"
            order["lines"].append(3)

    authority.before_answer = corrupt

    @client.guard
    def pay(order):
        return order

    got = pay(order)
    assert got == {"to": "alice", "lines": [1, 2]} == authority.decisions[0]["context"]["input"]["order"]
    assert order["to"] == "mallory"  # the attack did happen
    assert got is not order


@pytest.mark.parametrize(
    "value",
    [object(), (1,), {1: 2}, {1}, b"x", float("nan"), float("inf"), 2**60, "\ud800", type("S", (str,), {})("x"), 1j],
    ids=lambda value: "object()" if type(value) is object else repr(value),
)
def test_what_is_not_json_is_refused(authority, client, value):
    """Values without an exact JSON form are refused before anybody is asked."""

    @client.guard
    def act(a):
        pytest.fail("ran")

    with pytest.raises(ArgumentsRefused):
        act(value)
    with pytest.raises(ArgumentsRefused):
        act([{"deep": value}])
    assert authority.requests == []


def test_hooks_encode_and_rebuild(authority, client):
    """`encode=` says what is judged, `decode=` rebuilds what the body receives from that."""

    @client.guard(encode=lambda _, value: str(value), decode=lambda _, value: pathlib.PurePath(value))
    def remove(path):
        return [type(path).__name__, str(path)]

    assert remove(pathlib.PurePosixPath("/a/b")) == ["PurePosixPath", "/a/b"]
    assert authority.decisions[0]["context"]["input"] == {"path": "/a/b"}


def test_an_object_that_changed_meanwhile_is_refused(authority, client):
    """Without `decode=` the very object is passed, but only if it still encodes as it was judged."""
    box = {1, 2}

    @client.guard(encode=lambda _, value: sorted(value))
    def act(items):
        return sorted(items)

    assert act(box) == [1, 2]
    authority.before_answer = lambda path, _: box.add(3) if "evaluation" in path else None
    with pytest.raises(ArgumentsRefused, match="changed after it was judged"):
        act(box)
    assert [outcome["status"] for outcome in authority.outcomes] == ["succeeded", "cancelled"]


class Account:
    """A class with every kind of method."""

    def __init__(self, client):
        self.send = client.guard(self.plain)

    def plain(self, amount: int) -> int:
        """A bound method."""
        return amount


def test_methods(authority, client):
    """Receivers are passed on and not judged; decorators stack in both orders."""

    class Bank:
        @client.guard
        def own(self, x):
            return [type(self).__name__, x]

        @classmethod
        @client.guard
        def inner(cls, x):
            return [cls.__name__, x]

        @client.guard
        @classmethod
        def outer(cls, x):
            return [cls.__name__, x]

        @client.guard
        @staticmethod
        def static(x):
            return [x]

        @staticmethod
        @client.guard
        def static_too(self_like):
            return [self_like]

    assert Bank().own(1) == ["Bank", 1]
    assert Bank.inner(2) == ["Bank", 2]
    assert Bank.outer(3) == ["Bank", 3]
    assert Bank.static(4) == [4]
    assert Bank.static_too(5) == [5]
    assert Account(client).send(6) == 6
    inputs = [request["context"]["input"] for request in authority.decisions]
    assert inputs == [{"x": 1}, {"x": 2}, {"x": 3}, {"x": 4}, {"self_like": 5}, {"amount": 6}]


def test_async_functions_stay_async(authority, client):
    """An async function is guarded as one; fifty at once use the same client."""

    @client.guard
    async def act(n: int) -> int:
        await asyncio.sleep(0)
        return n

    async def many():
        return await asyncio.gather(*(act(n) for n in range(50)))

    assert inspect.iscoroutinefunction(act)
    assert asyncio.run(many()) == list(range(50))
    assert asyncio.run(many()) == list(range(50))  # another event loop
    assert len(authority.outcomes) == 100


def test_threads_share_a_client(authority, client):
    """Twenty threads at once: each gets the answer to its own question."""
    got = []

    @client.guard
    def act(n: int) -> int:
        return n

    threads = [threading.Thread(target=lambda n=n: got.append(act(n) == n)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [True] * 20


def test_the_wrapper_looks_like_the_function_and_hides_the_body(client):
    """Name, doc, signature and annotations are the function's own; nothing leads frameworks to the unguarded body."""

    def act(a: "pathlib.Path", *, b: int = 1) -> "list[int]":
        """Doc."""

    guarded = client.guard(act)
    assert (guarded.__name__, guarded.__doc__, guarded.__module__) == ("act", "Doc.", __name__)
    assert inspect.signature(guarded) == inspect.signature(act)
    assert typing.get_type_hints(guarded) == {"a": pathlib.Path, "b": int, "return": list[int]}
    assert inspect.unwrap(guarded) is guarded


def test_generators_and_classes_are_refused(client):
    """What would act after the call cannot be guarded, and the error says what to do."""

    def generator():
        yield 1

    async def async_generator():
        yield 1

    for refused in (generator, async_generator, Account):
        with pytest.raises(NotCoverable, match="guard"):
            client.guard(refused)


def test_a_body_that_returns_unfinished_work_is_an_error(authority, client):
    """A coroutine or generator as result would act unwatched: it is closed, and reported as failed."""

    async def later():
        pytest.fail("ran")

    @client.guard
    def act(kind: str):
        return later() if kind == "coroutine" else (n for n in [1])

    for kind in ("coroutine", "generator"):
        with pytest.raises(NotCoverable, match="returned a"):
            act(kind)
    assert [outcome["status"] for outcome in authority.outcomes] == ["failed", "failed"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("bad"), "failed"),
        (TimeoutError(), "timed_out"),
        (KeyboardInterrupt(), "cancelled"),
        (SystemExit(3), "cancelled"),
        (asyncio.CancelledError(), "cancelled"),
    ],
)
def test_every_way_out_is_reported(authority, client, error, status):
    """Whatever the body raises passes unchanged, after its outcome was reported with a duration and no output."""

    @client.guard
    def act():
        raise error

    with pytest.raises(type(error)) as caught:
        act()
    assert caught.value is error
    (outcome,) = authority.outcomes
    assert (outcome["status"], outcome["error"]["type"]) == (status, type(error).__name__)
    assert (outcome["output_sha256"], outcome["duration_ms"] >= 0) == (None, True)


def test_a_cancelled_task_is_reported(authority, client):
    """Cancelling an async body reports `cancelled` and the cancellation goes on."""

    async def main():
        started = asyncio.Event()

        @client.guard
        async def act():
            started.set()
            await asyncio.sleep(60)

        running = asyncio.create_task(act())
        await started.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert [outcome["status"] for outcome in authority.outcomes] == ["cancelled"]


def test_success_is_reported_with_the_digest_of_the_output(authority, client):
    """JSON results are digested in canonical form, bytes as they are, others not at all."""

    @client.guard
    def act(kind: str):
        return {"json": {"b": 1.0, "a": "é"}, "bytes": b"raw", "object": object()}[kind]

    for kind in ("json", "bytes", "object"):
        act(kind)
    canonical = '{"a":"é","b":1}'.encode()
    assert [(outcome["output_sha256"], outcome["output_size_bytes"]) for outcome in authority.outcomes] == [
        (hashlib.sha256(canonical).hexdigest(), len(canonical)),
        (hashlib.sha256(b"raw").hexdigest(), 3),
        (None, None),
    ]


def test_one_append_is_the_default_and_two_steps_are_offered(authority, client):
    """The decision redeems the permit by default; otherwise the permit is redeemed for exactly the judged arguments."""
    seen = []

    @client.guard
    def one(a):
        seen.append(len(authority.bodies("/v1/permits/redeem")))

    @client.guard(redeem="before_body")
    def two(a):
        seen.append(len(authority.bodies("/v1/permits/redeem")))

    one([1.0])
    two([1.0])
    authority.redeem_with_decision = False  # the authority may insist on the second step
    one([1.0])
    assert seen == [0, 1, 2]
    assert all(permit["redeemed"] for permit in authority.permits.values())


def test_a_refused_redemption_stops_the_body(authority, client):
    """A permit that somebody else used first is no permit."""

    @client.guard(redeem="before_body")
    def act():
        pytest.fail("ran")

    def steal(path, _):
        if "redeem" in path:
            for permit in authority.permits.values():
                permit["redeemed"] = True

    authority.before_answer = steal
    with pytest.raises(RequestRefused) as refused:
        act()
    assert refused.value.code == "permit-already-redeemed"


def test_obligations(authority, client):
    """A known obligation is fulfilled before and after the body; an unknown or failing one stops the action."""
    authority.rule = lambda _: {
        "outcome": "PERMIT",
        "reason": "policy",
        "obligations": [{"id": "mask", "params": {"with": "*"}}],
    }
    ran = []

    def mask(obligation, arguments):
        arguments["name"] = "changed by the handler, without effect"
        return lambda result: obligation.params["with"] * len(result)

    @client.guard(obligations={"mask": mask})
    def known(name: str):
        ran.append(name)
        return name

    @client.guard
    def unknown():
        ran.append("unknown")

    @client.guard(obligations={"mask": lambda *_: 1 / 0})
    def failing():
        ran.append("failing")

    assert known("secret") == "******"
    with pytest.raises(ObligationUnmet, match=r"`mask`.*not known"):
        unknown()
    with pytest.raises(ObligationUnmet, match="division"):
        failing()
    assert ran == ["secret"]
    assert [outcome["status"] for outcome in authority.outcomes] == ["succeeded", "cancelled", "cancelled"]


def test_an_outcome_that_nobody_takes_is_an_error_with_the_result(authority, client):
    """The body ran, the authority refuses the report: the caller learns both."""

    @client.guard
    def act():
        authority.raw.append((409, {"type": "urn:sealgate:problem:conflict", "title": "no"}))
        return 42

    with pytest.raises(OutcomeNotReported, match="ran") as caught:
        act()
    assert caught.value.result == 42


def test_a_guard_needs_no_authority_until_it_is_called(tmp_path, monkeypatch):
    """Decorating reads no settings; the default client is made from the environment at the first call."""
    monkeypatch.delenv("SEALGATE_AGENT", raising=False)
    monkeypatch.setenv("SEALGATE_SOCKET", str(tmp_path / "none.sock"))
    monkeypatch.setenv("SEALGATE_SPOOL", str(tmp_path / "spool"))

    @sealgate.guard
    def act():
        pytest.fail("ran")

    with pytest.raises(ConfigurationError, match="SEALGATE_AGENT"):
        act()
    monkeypatch.setenv("SEALGATE_AGENT", "a1")
    with pytest.raises(sealgate.AuthorityUnreachable, match=r"none\.sock"):
        act()
    sealgate.configure(None)


def test_two_calls_of_the_low_level_client(authority, client: Client):
    """Decide, redeem, report by hand, as an adapter does; a decision that is not PERMIT is false."""
    decision = client.decide("send", {"a": 1})
    assert decision
    client.redeem(decision, "send", {"a": 1})
    assert client.report(decision, "succeeded", duration_ms=1).receipt is not None
    authority.rule = lambda _: {"outcome": "SILENCE", "reason": "no_policy"}
    assert not client.decide("send", {"a": 1})


def test_the_async_client(authority, client: Client):
    """The same by hand, awaited."""

    async def main():
        async with client.asynchronous as asynchronous:
            decision = await asynchronous.decide("send", {"a": 1})
            await asynchronous.redeem(decision, "send", {"a": 1})
            await asynchronous.report(decision, "failed", error_type="X")
            recorded = await asynchronous.log_event("done", {"n": 1})
            assert recorded.spooled

    asyncio.run(main())
    assert authority.outcomes[0]["error"] == {"type": "X", "message": ""}
    assert client.core.recorder.shipper.waiting() == 1
