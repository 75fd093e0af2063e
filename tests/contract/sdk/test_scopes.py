"""Tasks, steps and events: one trace a task, each record below the span that led to it."""

import asyncio
import logging
import threading

import pytest

import sealgate
from sealgate.model.errors import InputError
from sealgate.sdk.tracing import current


def spans(body):
    """Return (trace, span, parent) of a request or an item."""
    if "item_id" in body:
        return body["trace_id"], body["span_id"], body.get("parent_span_id")
    context = body.get("context", body)
    _, trace, span, _ = context["traceparent"].split("-")
    return trace, span, context.get("parent_span_id")


def test_calls_hang_below_their_step_and_task(authority, client, items):
    """Task → step → call → nested call: one trace, each the child of the one before."""

    @client.guard
    def inner() -> None:
        assert current() is not None

    @client.guard
    def outer() -> None:
        inner()

    with client.task("pay", id="t1", on_behalf_of=["user:eve"]) as task, client.step("plan", "the bill is due"):
        outer()
    started, step, ended = items()
    first, second = authority.decisions
    assert [started["kind"], step["kind"], ended["kind"]] == ["session.started", "reasoning", "session.ended"]
    assert {spans(body)[0] for body in (started, step, ended, first, second)} == {task.span.trace_id}
    assert spans(step)[2] == spans(started)[1]
    assert spans(first)[2] == spans(step)[1]
    assert spans(second)[2] == spans(first)[1]
    assert first["context"]["task"] == {"id": "t1", "goal": "pay"}
    assert first["context"]["on_behalf_of"] == ["user:eve"]
    assert step["attributes"] == {"name": "plan", "rationale": "the bill is due", "claimed": True}
    assert ended["attributes"] == {"outcome": "completed"}
    assert current() is None


def test_a_task_of_another_agent(authority, client):
    """A task may act for another agent than the client's."""

    @client.guard
    def act() -> None: ...

    with client.task("x", agent="a2"):
        act()
    act()
    assert [body["subject"]["id"] for body in authority.decisions] == ["a2", "a1"]


def test_an_error_ends_the_task_as_failed(client, items):
    """The error passes; the end of the task names its type."""
    with pytest.raises(ValueError, match="no"), client.task("x"):
        raise ValueError("no")
    ended = items()[-1]
    assert ended["attributes"] == {"outcome": "failed", "error": {"type": "ValueError", "message": "no"}}
    assert ended["status"] == "error"


def test_async_tasks_do_not_mix(authority, client):
    """Two tasks at once in one event loop keep their own traces."""

    @client.guard
    async def act(n: int) -> None:
        await asyncio.sleep(0.01)

    async def one(n):
        async with client.task(f"goal {n}") as task, client.step("s"):
            await act(n)
            return task.span.trace_id

    async def main():
        return await asyncio.gather(one(0), one(1))

    traces = asyncio.run(main())
    assert {body["context"]["input"]["n"]: spans(body)[0] for body in authority.decisions} == dict(enumerate(traces))


def test_trace_context_goes_in_and_out(client, items):
    """An incoming traceparent is continued, an outgoing one names the present span; a malformed one is refused."""
    incoming = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
    with client.task("x", traceparent=incoming):
        outgoing = sealgate.current_traceparent()
    assert outgoing is not None
    assert outgoing.startswith("00-0af7651916cd43dd8448eb211c80319c-")
    assert outgoing.endswith("-00")
    assert items()[0]["parent_span_id"] == "b7ad6b7169203331"
    assert sealgate.current_traceparent() is None
    with pytest.raises(InputError):
        client.task("x", traceparent="00-zz")


def test_carry_takes_the_span_into_threads(authority, client):
    """A thread started with `carry` is in the task; one started without is not."""
    seen = {}
    with client.task("x") as task:
        for name, wrap in (("carried", sealgate.carry), ("plain", lambda function: function)):
            note = wrap(lambda name=name: seen.update({name: sealgate.current_traceparent()}))
            thread = threading.Thread(target=note)
            thread.start()
            thread.join()
    assert seen == {"carried": task.traceparent, "plain": None}


def test_events(client, items):
    """Any JSON is kept as it is, anything else is refused."""
    sealgate.log_event("order.placed", {"order_id": 7})
    sealgate.log_event("measured", {"°C": 1.5}, level="warning")
    assert [body["attributes"] for body in items()] == [
        {"event_type": "order.placed", "level": "info", "data": {"order_id": 7}},
        {"event_type": "measured", "level": "warning", "data": {"°C": 1.5}},
    ]
    with pytest.raises(InputError):
        sealgate.log_event("x", {"a": object()})
    with pytest.raises(InputError):
        sealgate.log_event("x", level="loud")


def test_events_wait_for_a_collector_that_is_away(client):
    """Logging never needs a server to be there: the event is durable here."""
    recorded = sealgate.log_event("x")
    assert recorded.spooled
    assert client.core.recorder.shipper.waiting() == 1


def test_the_logging_handler(client, items):
    """Standard log lines become events; a failure goes to logging's own error handling."""
    logger = logging.getLogger("shop")
    handler = sealgate.EventHandler(client)
    logger.addHandler(handler)
    try:
        logger.warning("low on %s", "stock", extra={"event_type": "stock.low", "event_data": {"left": 2}})
        logging.getLogger("shop").debug("not recorded")
    finally:
        logger.removeHandler(handler)
    (event,) = items()
    assert event["attributes"] == {
        "event_type": "stock.low",
        "level": "warning",
        "data": {"logger": "shop", "message": "low on stock", "left": 2},
    }
