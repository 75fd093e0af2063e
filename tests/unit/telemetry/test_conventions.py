"""The table: each convention is recognised and its facts end where they belong; nothing unknown is an error."""

import json

import pytest

from sealgate.encoding import canonical
from sealgate.model import items as items_model
from sealgate.telemetry.convention import KIND_OF_ROLE, Role
from sealgate.telemetry.conventions import CONVENTIONS
from sealgate.telemetry.facts import PLACES
from sealgate.telemetry.mapping import Sender, map_spans
from sealgate.telemetry.spans import ERROR, OK, Event, Source, Span

SENDER = Sender("exporter", "fallback-agent")
ARGUMENTS = {"to": "x", "amount": 5}
TEXT = json.dumps(ARGUMENTS)


def span(name="s", *, scope="scope", resource=None, status=0, events=(), **attributes):
    """One span; attribute names with `__` for dots."""
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    return Span(
        "a" * 32, "b" * 16, "c" * 16, name, 1, 10**18, 10**18 + 5_000_000, named, status, "", list(events), [],
        Source(resource or {}, scope, ""),
    )  # fmt: skip


def items(made, sender=SENDER):
    """The items of a span, each valid."""
    mapped = map_spans([made], sender)
    for item in mapped.items:
        items_model.read(item)
    return mapped.items


CALLED = {
    "otel-genai": span(
        gen_ai__operation__name="execute_tool",
        gen_ai__provider__name="x",
        gen_ai__tool__name="pay",
        gen_ai__tool__call__id="c1",
        gen_ai__tool__call__arguments=TEXT,
        gen_ai__tool__call__result="done",
    ),
    "otel-genai-legacy": span(
        gen_ai__tool__name="pay", gen_ai__tool__call__id="c1", tool_arguments=TEXT, tool_response="done"
    ),
    "mcp": span(
        mcp__method__name="tools/call",
        gen_ai__operation__name="execute_tool",
        gen_ai__tool__name="pay",
        gen_ai__tool__call__id="c1",
        gen_ai__tool__call__arguments=TEXT,
        gen_ai__tool__call__result="done",
    ),
    "openinference": span(
        openinference__span__kind="TOOL",
        tool__name="pay",
        tool_call__id="c1",
        input__value=TEXT,
        tool__parameters='{"type":"object"}',
        output__value="done",
    ),
    "vercel-ai-sdk": span(
        "ai.toolCall",
        ai__operationId="ai.toolCall",
        ai__toolCall__name="pay",
        ai__toolCall__id="c1",
        ai__toolCall__args=TEXT,
        ai__toolCall__result="done",
    ),
    "openllmetry": span(
        "pay.tool",
        traceloop__span__kind="tool",
        traceloop__entity__name="pay",
        gen_ai__tool__call__id="c1",
        traceloop__entity__input=json.dumps({"args": [], "kwargs": ARGUMENTS}),
        traceloop__entity__output="done",
    ),
    "langsmith": span(
        "pay",
        langsmith__span__kind="tool",
        gen_ai__tool__call__id="c1",
        gen_ai__prompt=json.dumps({"input": ARGUMENTS}),
        gen_ai__completion="done",
    ),
    "langfuse": span(
        "pay",
        langfuse__observation__type="tool",
        gen_ai__tool__call__id="c1",
        langfuse__observation__input=TEXT,
        langfuse__observation__output="done",
    ),
}


@pytest.mark.parametrize("convention", CALLED)
def test_a_tool_that_ran_is_a_call_with_name_arguments_id_and_result(convention):
    """Each convention's tool span becomes the same `tool.call`."""
    (item,) = items(CALLED[convention])
    attributes = item["attributes"]
    assert (item["kind"], item["convention"], item["duration_ms"]) == ("tool.call", convention, 5)
    assert (attributes["tool"]["name"], attributes["call_id"]) == ("pay", "c1")
    assert (attributes["input"]["value"], attributes["output"]["value"]) == (ARGUMENTS, "done")
    assert (attributes["extra"], attributes["outcome"]) == ({"stage": "executed"}, "succeeded")


ANSWERS = {
    "openai": {
        "choices": [{"message": {"tool_calls": [{"id": "c1", "function": {"name": "pay", "arguments": TEXT}}]}}]
    },
    "responses": {"output": [{"type": "function_call", "call_id": "c1", "name": "pay", "arguments": TEXT, "id": "fc"}]},
    "anthropic": {"content": [{"type": "tool_use", "id": "c1", "name": "pay", "input": ARGUMENTS}]},
    "parts": [
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "pay", "arguments": ARGUMENTS}]}
    ],
    "vercel": [{"toolCallId": "c1", "toolName": "pay", "input": TEXT}],
    "langchain": {"kwargs": {"tool_calls": [{"name": "pay", "args": ARGUMENTS, "id": "c1", "type": "tool_call"}]}},
    "both forms of one call": {
        "tool_calls": [{"name": "pay", "args": ARGUMENTS, "id": "c1"}],
        "additional_kwargs": {"tool_calls": [{"id": "c1", "function": {"name": "pay", "arguments": TEXT}}]},
    },
    "koog": [
        {
            "finish_reason": "tool_calls",
            "content": json.dumps([{"id": "c1", "type": "function", "function": {"name": "pay", "arguments": TEXT}}]),
        }
    ],
}


@pytest.mark.parametrize("shape", ANSWERS)
def test_a_call_that_a_model_asked_for_is_found_in_its_answer(shape):
    """Each provider's shape gives one model call and one requested call beneath it."""
    made = span(
        gen_ai__operation__name="chat", gen_ai__request__model="m", gen_ai__output__messages=json.dumps(ANSWERS[shape])
    )
    call, requested = items(made)
    assert (call["kind"], call["attributes"]["model"], call["attributes"]["tool_calls"]) == ("model.call", "m", ["c1"])
    attributes = requested["attributes"]
    assert (requested["kind"], attributes["extra"]) == ("tool.call", {"stage": "requested"})
    assert (attributes["tool"]["name"], attributes["call_id"], attributes["input"]["value"]) == ("pay", "c1", ARGUMENTS)
    assert (requested["parent_span_id"], requested["span_id"]) == (call["span_id"], None)


def test_gemini_calls_have_no_id():
    """A call without an id is found too, and named by its tool."""
    answer = {"content": {"parts": [{"function_call": {"name": "pay", "args": ARGUMENTS}}]}}
    call, requested = items(span(openinference__span__kind="LLM", output__value=json.dumps(answer)))
    assert (call["attributes"]["tool_calls"], requested["attributes"]["call_id"]) == (["pay"], None)


@pytest.mark.parametrize(
    "answer",
    [
        {"tools": [{"type": "function", "function": {"name": "pay", "parameters": {}}}]},
        {"content": json.dumps([{"id": "c", "function": {"name": "pay", "arguments": TEXT}}])},
        {"tool_calls": [{"function": {"arguments": TEXT}}]},
        {"tool_calls": []},
    ],
)
def test_what_is_no_call_is_not_taken_for_one(answer):
    """Definitions of tools, a text that quotes a call, a call without a name: no call."""
    made = span(gen_ai__operation__name="chat", gen_ai__output__messages=json.dumps(answer))
    assert [item["kind"] for item in items(made)] == ["model.call"]


@pytest.mark.parametrize(
    "flat",
    [
        {
            "openinference.span.kind": "LLM",
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "pay",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": TEXT,
        },
        {
            "llm.request.type": "chat",
            "gen_ai.completion.0.tool_calls.0.id": "c1",
            "gen_ai.completion.0.tool_calls.0.name": "pay",
            "gen_ai.completion.0.tool_calls.0.arguments": TEXT,
            "gen_ai.prompt.0.tool_calls.0.name": "asked-before",
        },
    ],
)
def test_flattened_calls_are_put_together(flat):
    """OpenInference and OpenLLMetry write calls into numbered attributes; those of prompts are not asked for again."""
    _, requested = items(span(**flat))
    assert requested["attributes"]["input"]["value"] == ARGUMENTS


def test_messages_in_events_are_read():
    """The form before structured attributes: a `gen_ai.choice` event of the span."""
    event = Event("gen_ai.choice", 10**18, {"message": json.dumps(ANSWERS["openai"]["choices"][0]["message"])})
    _, requested = items(span(gen_ai__system="openai", gen_ai__request__model="m", events=[event]))
    assert requested["attributes"]["call_id"] == "c1"


def test_tokens_reasons_and_parameters_of_a_model_call():
    """Counts come as numbers or decimal text, reasons as a list or JSON text."""
    made = span(
        gen_ai__operation__name="chat",
        gen_ai__usage__input_tokens="12",
        gen_ai__usage__output_tokens=3,
        gen_ai__response__finish_reasons='["stop"]',
        gen_ai__request__temperature=0.5,
    )
    attributes = items(made)[0]["attributes"]
    assert (attributes["tokens"]["input"], attributes["tokens"]["output"]) == (12, 3)
    assert (attributes["finish_reasons"], attributes["parameters"]) == (["stop"], {"temperature": 0.5})


def test_a_retrieval_tells_query_and_documents():
    """Documents come flattened or as JSON; too many are counted and not kept one by one."""
    flat = {"openinference.span.kind": "RETRIEVER", "input.value": "who?"}
    flat |= {f"retrieval.documents.{n}.document.{part}": f"{part}{n}" for n in range(2) for part in ("id", "content")}
    (item,) = items(span(**flat))
    attributes = item["attributes"]
    assert (item["kind"], attributes["query"]["value"], attributes["count"]) == ("context.retrieved", "who?", 2)
    assert [part["id"] for part in attributes["parts"]] == ["id0", "id1"]
    documents = json.dumps([{"id": str(number), "score": 0.5} for number in range(100)])
    (item,) = items(span(gen_ai__operation__name="retrieval", gen_ai__retrieval__documents=documents))
    assert (item["attributes"]["count"], item["attributes"]["omitted"]) == (100, 68)


def test_errors_are_told_once():
    """A failed tool carries its error; a failed step has an item beside it; a step that went well has none."""
    exception = Event("exception", 10**18, {"exception.type": "ValueError", "exception.message": "no"})
    (tool,) = items(span(gen_ai__operation__name="execute_tool", status=ERROR, events=[exception]))
    assert tool["attributes"]["error"] == {"type": "ValueError", "message": "no"}
    step, error = items(span("step", openinference__span__kind="CHAIN", status=ERROR, events=[exception]))
    assert (error["kind"], error["attributes"]["where"], error["parent_span_id"]) == ("error", "step", step["span_id"])
    assert len(items(span(openinference__span__kind="CHAIN", status=OK, events=[exception]))) == 1


def test_an_mcp_tool_error_is_a_failure_although_the_status_is_unset():
    """`error.type` = `tool_error` is how MCP spans say that a tool said no."""
    (item,) = items(span(mcp__method__name="tools/call", gen_ai__tool__name="pay", error__type="tool_error"))
    assert (item["attributes"]["outcome"], item["attributes"]["error"]["type"]) == ("failed", "tool_error")


def test_nothing_is_claimed_of_a_call_that_says_nothing():
    """Without status and result nobody knows what became of it; without arguments they are unknown, not empty."""
    (item,) = items(span("execute_tool pay", gen_ai__operation__name="execute_tool"))
    attributes = item["attributes"]
    assert (attributes["tool"]["name"], attributes["outcome"], attributes["input"]) == ("pay", None, None)


def test_unknown_spans_are_events_or_are_counted():
    """What no convention knows is an event with its short attributes, or nothing but a count."""
    made = span("GET /", http__url="http://x", body="x" * 1000)
    (item,) = items(made)
    assert (item["kind"], item["convention"]) == ("event.logged", None)
    assert item["attributes"]["data"]["attributes"] == {"http.url": "http://x"}
    skipped = map_spans([made], Sender("p", "a", unknown="skip"))
    assert (skipped.items, dict(skipped.skipped)) == ([], {"unknown_convention": 1})


@pytest.mark.parametrize(
    ("resource", "attributes", "agent"),
    [
        ({"service.name": "banker"}, {}, "banker"),
        ({"service.name": "unknown_service:python"}, {}, "fallback-agent"),
        ({"service.name": "banker"}, {"sealgate.agent.id": "a7"}, "a7"),
        ({"service.name": "banker", "sealgate.agent.id": "a8"}, {}, "a8"),
        ({}, {"gen_ai.agent.name": "model says"}, "fallback-agent"),
    ],
)
def test_whose_doing_it_was(resource, attributes, agent):
    """The agent's id comes from the configured attributes; else it is the sender's own agent."""
    assert items(span(resource=resource, **attributes))[0]["agent"] == agent


def test_ids_depend_on_sender_trace_span_and_part_alone():
    """The same span is the same item; another sender cannot take its place."""
    made = span(**{"gen_ai.operation.name": "chat", "gen_ai.output.messages": json.dumps(ANSWERS["openai"])})
    first = [item["item_id"] for item in items(made)]
    assert len(set(first)) == 2
    assert [item["item_id"] for item in items(made)] == first
    assert not set(first) & {item["item_id"] for item in items(made, Sender("other", "fallback-agent"))}


def test_the_table_is_sound():
    """Names are unique, marks lead to roles that have a kind, and no attribute is two facts of one role by accident."""
    names = [convention.name for convention in CONVENTIONS]
    assert len(set(names)) == len(names)
    assert set(KIND_OF_ROLE) == set(Role)
    for convention in CONVENTIONS:
        for mark in convention.marks:
            assert mark.roles or mark.otherwise
            assert all(value == value.lower() for value in mark.roles)
        for role, facts in convention.facts.items():
            for fact, attributes in facts.items():
                for attribute in attributes:
                    assert PLACES[role][attribute].fact == fact, (convention.name, attribute)


@pytest.mark.parametrize(
    "text", ['{"id":9007199254740993}', '{"a":' * 30 + "1" + "}" * 30, '{"a":' * 600 + "1" + "}" * 600]
)
def test_arguments_that_an_item_cannot_hold_are_kept_as_text(text):
    """Integers beyond 2^53 and deep nesting lose no call; the model's own answer may hold them too."""
    for made in (
        span(gen_ai__operation__name="execute_tool", gen_ai__tool__name="pay", gen_ai__tool__call__arguments=text),
        span(
            gen_ai__operation__name="chat",
            gen_ai__output__messages=f'[{{"type":"tool_use","name":"pay","input":{text}}}]',
        ),
    ):
        call = items(made)[-1]
        assert call["attributes"]["tool"]["name"] == "pay"
        assert call["attributes"]["input"]["value"] in {text, "(nested too deeply to be kept)"}
        canonical.encode_arguments(call)
    assert items(span(gen_ai__tool__name="pay", tool_arguments='{"a":1}'))[0]["attributes"]["input"]["value"] == {
        "a": 1
    }
