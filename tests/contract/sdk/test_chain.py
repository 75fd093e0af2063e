"""One call for every link of the chain: what arrives at the collector is a valid item and says what was told."""

import asyncio
import hashlib
import hmac
import os

import jsonschema
import pytest

import sealgate
from sealgate.encoding import contents
from sealgate.model import items as model
from sealgate.model import schema
from sealgate.model.errors import ConfigurationError, InputError
from sealgate.model.items import ITEM_MODEL
from sealgate.sdk import AsyncClient, Authorized, Client, Tool, drafts, extract

TOOL = Tool("send", server="bank", version="1", publisher="acme", trust_level="high", verification_score=90,
            definition_sha256="ab" * 32)  # fmt: skip


def everything(client):
    """Record every kind with every member."""
    authorized = Authorized("human_approval", "PERMIT", "d1", ["r1"], "sha256:x", "receipt-1")
    with client.session(id="s1", user="u1", framework="f", framework_version="2"), client.task("goal", id="t1"):
        client.input_received("hello", channel="chat", source="web", user="u1", trusted=False)
        client.context_retrieved(
            "kb", query="q", documents=[{"id": "d1", "title": "t", "score": 0.5, "text": "body"}], trusted=True,
            classification="internal",
        )  # fmt: skip
        with client.step("plan", "because"):
            with client.model_call(
                "m1", provider="p", template="say {x}", template_id="t7", variables={"x": 1}, input=[1],
                parameters={"temperature": 0.5},
            ) as call:  # fmt: skip
                call.output({"a": 1}, tokens={"input": 3}, finish_reasons=["stop"], tool_calls=["c1"],
                            response_model="m1-1", response_id="r1")  # fmt: skip
            with client.tool_call(
                TOOL, {"to": "bob"}, call_id="c1", tool_type="function", resource=("account", "a7"), user="u1",
                permissions_used=["write on a7"], permissions_denied=["read on b"], classification="financial",
                systems=["core"], subjects=["sub_x"], authorized=authorized, retention_class="ordinary",
            ) as tool:  # fmt: skip
                tool.output("done")
                tool.touched(permissions_used=["write on a7"], systems=["core", "mail"])
        client.fallback("a", "b", reason="r", attempt=1, error=ValueError("x"))
        client.error(ValueError("x"), where="here", handled=True, detail="stack")
        client.log_event("e", {"k": [1.5]}, level="warning")
        client.declare_coverage("crm", "known_gap", agents=["a1"], note="n")


def test_every_kind_arrives_whole(client, items):
    """Each kind is there once begun and ended; with all members it fits the published schema; the trace is a tree."""
    everything(client)
    arrived = items()
    validator = jsonschema.Draft202012Validator(schema.item_document())
    whole = [model.as_object(model.read(item)) for item in arrived]

    assert [error.message for item in whole for error in validator.iter_errors(item)] == []
    assert {item["kind"] for item in arrived} == set(ITEM_MODEL)
    assert [item["producer"]["seq"] for item in arrived] == list(range(len(arrived)))
    assert {item["session_id"] for item in arrived} == {"s1"}
    assert {item.get("task_id") for item in arrived[1:-1]} == {"t1"}
    assert len({item["trace_id"] for item in arrived}) == 1
    spans = {item["span_id"] for item in arrived}
    assert {item["parent_span_id"] for item in arrived[1:-1]} <= spans


def test_a_tool_invocation_has_every_field(client, items):
    """All that a record of a tool invocation must carry was told and arrived; call and outcome name each other."""
    everything(client)
    call, outcome = (item for item in items() if item["kind"].startswith("tool."))
    told = call["attributes"]

    assert told["tool"] == TOOL.members()
    assert told["permissions"] == {"used": ["write on a7"], "denied": ["read on b"]}
    assert told["data"] == {"classification": "financial", "systems": ["core"], "subjects": ["sub_x"]}
    assert told["authorization"]["method"] == "human_approval"
    assert told["authorization"]["proof"] == "receipt-1"
    assert (told["resource"], told["user"], told["retention_class"]) == (
        {"type": "account", "id": "a7"},
        "u1",
        "ordinary",
    )
    assert call["classification"] == "financial"
    assert outcome["attributes"]["call_item_id"] == call["item_id"]
    assert outcome["span_id"] == call["span_id"]
    assert outcome["attributes"]["outcome"] == "succeeded"
    assert outcome["duration_ms"] >= 0
    assert outcome["attributes"]["output"]["size_bytes"] == 4


def test_inputs_and_outputs_are_digests(client, items):
    """No raw value leaves the process; its digest is the documented one and differs from item to item."""
    client.input_received("Jane Roe")
    client.input_received("Jane Roe")
    first, second = items()
    content = first["attributes"]["content"]
    expected = hmac.new(contents.salt_bytes(first["salt"]), hashlib.sha256(b"Jane Roe").digest(), "sha256").digest()

    assert content == {
        "digest": contents.salt_text(expected), "size_bytes": 8, "media_type": "text/plain", "value": None,
    }  # fmt: skip
    assert second["attributes"]["content"]["digest"] != content["digest"]


def test_texts_are_searched_and_the_tool_gets_what_it_was_given(client, items):
    """What detectors find in a text never reaches the disk; the call itself is untouched."""
    given = {"to": "jane.roe@example.com"}
    with client.tool_call("send", given), client.step("write", "ask jane.roe@example.com"):
        assert given == {"to": "jane.roe@example.com"}
    texts = [str(item) for item in items()]

    assert not [text for text in texts if "jane.roe" in text]
    assert any("[email]" in text for text in texts)


def test_a_field_policy_keeps_what_it_says(tmp_path, collector):
    """With a policy that keeps the output of one tool, that value is there and no other."""
    policy = tmp_path / "privacy.toml"
    policy.write_text('[[field]]\npath = "attributes.output"\naction = "keep"\nkind = "tool.outcome"\n')
    with Client(agent="a1", socket=tmp_path / "a.sock", spool=tmp_path / "spool", privacy=policy) as client:
        with client.tool_call("weather", {"city": "Bern"}) as call:
            call.output("sunny")
        assert client.flush(60) == 0
    asked, told = collector.items()

    assert told["attributes"]["output"]["value"] == "sunny"
    assert asked["attributes"]["input"]["value"] is None
    policy.write_text("[nonsense]\n")
    with pytest.raises(ConfigurationError):
        Client(agent="a1", socket=tmp_path / "a.sock", spool=tmp_path / "spool", privacy=policy)


def test_failures_are_outcomes(client, items):
    """An exception inside passes and is recorded with its type; a timeout and a cancellation have their own words."""
    kinds = {ValueError("x"): "failed", TimeoutError(): "timed_out", KeyboardInterrupt(): "cancelled"}
    for error, outcome in kinds.items():
        with pytest.raises(type(error)), client.tool_call("send"):
            raise error
        with pytest.raises(type(error)), client.model_call("m"):
            raise error
        *_, ended, asked = items()
        assert ended["attributes"]["outcome"] == outcome
        assert asked["attributes"]["error"]["type"] == type(error).__name__
        assert asked["status"] == "error"


def test_the_awaiting_client_has_the_same_calls(client, items):
    """Every kind through `async with` and `await`."""

    async def scenario():
        awaiting = AsyncClient(core=client.core)
        async with awaiting.session(), awaiting.task("g"), awaiting.step("s"):
            async with awaiting.model_call("m") as model_call:
                model_call.output(1)
            async with awaiting.tool_call("t") as call:
                call.output(1)
            await awaiting.input_received("x")
            await awaiting.context_retrieved("kb", rows=[1, 2])
            await asyncio.gather(*(awaiting.log_event("e", {"n": n}) for n in range(20)))
            await awaiting.fallback("a", "b")
            await awaiting.error("went wrong")
            await awaiting.declare_coverage("crm", "observed")

    asyncio.run(scenario())
    assert {item["kind"] for item in items()} == set(ITEM_MODEL)


def test_many_parts_are_counted_and_few_are_listed(client, items):
    """What was retrieved is counted whole; parts beyond the bound are omitted and said to be; one kind at a time."""
    client.context_retrieved("db", rows=[{"id": str(n)} for n in range(drafts.MAX_PARTS + 36)])
    (item,) = items()
    assert item["attributes"]["count"] == drafts.MAX_PARTS + 36
    assert (len(item["attributes"]["parts"]), item["attributes"]["omitted"]) == (drafts.MAX_PARTS, 36)
    for wrong in ({}, {"rows": [], "documents": []}):
        with pytest.raises(InputError):
            client.context_retrieved("db", **wrong)


def test_what_has_no_form_is_refused_or_said_to_have_none(client, items):
    """An object is recorded without a digest; an event that is no JSON or too large raises and leaves no gap behind."""
    client.input_received(object())
    for wrong in ({"a": object()}, {"a": "x" * 40_000}):
        with pytest.raises(InputError):
            client.log_event("e", wrong)
    client.log_event("e")
    first, second = items()
    assert first["attributes"]["content"]["media_type"] == "python/object"
    assert [first["producer"]["seq"], second["producer"]["seq"]] == [0, 1]


def test_trace_context_crosses_processes(client, items):
    """Injected headers are continued; baggage only where asked for; malformed headers change nothing."""
    with client.session(id="s1"), client.task("x", id="t1", agent="a2"):
        headers = sealgate.inject({}, baggage=True)
        assert set(sealgate.inject({})) == {"traceparent"}
        child = sealgate.inject_environment({})
    with sealgate.continued({"TraceParent": headers["traceparent"], "Baggage": headers["baggage"]}):
        client.log_event("there")
    there = items()[-1]
    assert [there[name] for name in ("session_id", "task_id", "agent")] == ["s1", "t1", "a2"]
    assert there["parent_span_id"] == headers["traceparent"].split("-")[2]
    assert extract(child) == extract(headers)
    for wrong in ({}, {"traceparent": "00-zz"}, {"traceparent": "00-" + "0" * 32 + "-" + "1" * 16 + "-01"}):
        with sealgate.continued(wrong):
            assert sealgate.current_traceparent() is None
    bad = extract({**headers, "baggage": "sealgate.task=%ff,sealgate.session=a%00b,other=1,sealgate.agent"})
    assert bad is not None
    assert (bad.task_id, bad.session_id, bad.agent) == (None, None, None)
    assert sealgate.inject({}) == {}
    assert os.environ.get("TRACEPARENT") is None
