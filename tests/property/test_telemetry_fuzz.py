"""Both decoders of OTLP against anything: our error or an answer, never another exception; and they agree."""

import base64
import contextlib
import json

from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sealgate.encoding import canonical
from sealgate.model import items as items_model
from sealgate.model.errors import EncodingError
from sealgate.telemetry.conventions import CONVENTIONS, INDEXED_CALLS, INDEXED_CONTENT
from sealgate.telemetry.mapping import Sender
from sealgate.telemetry.requests import Export, translate

SENDER = Sender("p", "a")
KEYS = sorted(
    {mark.attribute for convention in CONVENTIONS for mark in convention.marks}
    | {
        name
        for convention in CONVENTIONS
        for facts in (convention.every, *convention.facts.values())
        for names in facts.values()
        for name in names
    }
    | {prefix.replace("*", "0") + part for prefix, parts in INDEXED_CALLS.items() for part in parts}
    | {f"{prefix}0.message.content" for prefix in INDEXED_CONTENT}
)
VALUES = sorted({value for convention in CONVENTIONS for mark in convention.marks for value in mark.roles})
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}

texts = st.one_of(
    st.sampled_from(VALUES),
    st.sampled_from(
        [
            json.dumps([{"role": "assistant", "tool_calls": [CALL], "finish_reason": "tool_calls"}]),
            json.dumps({"type": "tool", "tool_call_id": "x", "name": "n"}),
            json.dumps([{"type": "tool_call", "name": "n", "id": 5, "arguments": [1e300]}]),
            '{"a":' * 50 + "1" + "}" * 50,
            "{'a': {1, 2}}",
            "[1e400]",
            "{",
            "null",
        ]
    ),
    st.text(max_size=20),
)
values = st.recursive(
    st.one_of(
        texts.map(lambda text: {"stringValue": text}),
        st.integers(-(2**63), 2**63 - 1).map(lambda number: {"intValue": str(number)}),
        st.booleans().map(lambda truth: {"boolValue": truth}),
        st.floats().map(
            lambda number: {
                "doubleValue": number
                if number - number == 0
                else str(number).replace("inf", "Infinity").replace("nan", "NaN")
            }
        ),
        st.just({}),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda found: {"arrayValue": {"values": found}}),
        st.lists(st.tuples(st.text(max_size=5), inner), max_size=3, unique_by=lambda pair: pair[0]).map(
            lambda found: {"kvlistValue": {"values": [{"key": key, "value": value} for key, value in found]}}
        ),
    ),
    max_leaves=6,
)
attributes = st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=10)), values, max_size=8).map(
    lambda found: [{"key": key, "value": value} for key, value in found.items()]
)
times = st.integers(0, 2**64 - 1).map(str)
ids = st.sampled_from(["", "0" * 32, "0bef88d91bb1c9e1ed36d3d87a2c371c", "0BEF88D91BB1C9E1ED36D3D87A2C371C"])
span_ids = st.sampled_from(["", "0" * 16, "542d59138e957782"])
events = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["exception", "gen_ai.choice", "gen_ai.content.completion", "other"]),
        "timeUnixNano": times,
        "attributes": attributes,
    }
)
spans = st.fixed_dictionaries(
    {
        "traceId": ids,
        "spanId": span_ids,
        "parentSpanId": span_ids,
        "name": st.one_of(st.sampled_from(["execute_tool x", "tool.", "Tool Usage"]), st.text(max_size=10)),
        "kind": st.integers(0, 5),
        "startTimeUnixNano": times,
        "endTimeUnixNano": times,
        "attributes": attributes,
        "status": st.fixed_dictionaries({"code": st.integers(0, 2), "message": st.text(max_size=5)}),
        "events": st.lists(events, max_size=2),
    }
)
records = st.fixed_dictionaries(
    {
        "traceId": ids,
        "spanId": span_ids,
        "timeUnixNano": times,
        "severityNumber": st.integers(0, 24),
        "eventName": st.sampled_from(["", "gen_ai.choice", "claude_code.tool_result", "x", "gen_ai.user.message"]),
        "body": values,
        "attributes": attributes,
    }
)


def _request(signal, entries):
    group, scoped, member = (
        ("resourceSpans", "scopeSpans", "spans") if signal == "traces" else ("resourceLogs", "scopeLogs", "logRecords")
    )
    return {group: [{"resource": {"attributes": []}, scoped: [{"scope": {"name": "s"}, member: entries}]}]}


def _check(translated):
    """Each item fits the model and can be written canonically, with the values that it holds."""
    for item in translated.items:
        whole = items_model.as_object(items_model.read(item))
        canonical.encode_arguments(whole, max_bytes=1 << 20)


@given(
    st.binary(max_size=200), st.sampled_from(["traces", "logs"]), st.sampled_from(["protobuf", "json"]), st.booleans()
)
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_our_error_or_an_answer(data, signal, encoding, gzip):
    """No bytes end in anything but an answer or our own error."""
    with contextlib.suppress(EncodingError):
        _check(translate(Export(signal, encoding, data, gzip=gzip), SENDER))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "resourceSpans",
                        "scopeSpans",
                        "spans",
                        "attributes",
                        "key",
                        "value",
                        "traceId",
                        "spanId",
                        "startTimeUnixNano",
                        "kind",
                        "stringValue",
                        "arrayValue",
                        "values",
                        "status",
                        "events",
                        "links",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
@settings(max_examples=200, deadline=None)
def test_any_json_gives_our_error_or_an_answer(value):
    """No JSON, however much it looks like OTLP, ends in anything else."""
    with contextlib.suppress(EncodingError):
        _check(translate(Export("traces", "json", json.dumps(value).encode()), SENDER))


@given(st.lists(spans, max_size=3))
@settings(max_examples=150, deadline=None)
def test_both_encodings_of_spans_mean_the_same(entries):
    """What JSON says and what protobuf says of the same spans become the same items, all of them valid."""
    request = _request("traces", entries)
    message = json_format.ParseDict(_protobuf_ids(request), ExportTraceServiceRequest())
    by_json = translate(Export("traces", "json", json.dumps(request).encode()), SENDER)
    by_protobuf = translate(Export("traces", "protobuf", message.SerializeToString()), SENDER)
    assert by_json.items == by_protobuf.items
    assert by_json.rejected == by_protobuf.rejected
    assert by_json.entries == len(entries)
    _check(by_json)


@given(st.lists(records, max_size=3))
@settings(max_examples=150, deadline=None)
def test_both_encodings_of_log_records_mean_the_same(entries):
    """The same for log records."""
    request = _request("logs", entries)
    message = json_format.ParseDict(_protobuf_ids(request), ExportLogsServiceRequest())
    by_json = translate(Export("logs", "json", json.dumps(request).encode()), SENDER)
    by_protobuf = translate(Export("logs", "protobuf", message.SerializeToString()), SENDER)
    assert by_json.items == by_protobuf.items
    assert by_json.rejected == by_protobuf.rejected
    _check(by_json)


def _protobuf_ids(value):
    """The same request with ids as protobuf's own JSON has them: base64."""
    if isinstance(value, list):
        return [_protobuf_ids(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return {
        key: base64.b64encode(bytes.fromhex(entry)).decode()
        if key in {"traceId", "spanId", "parentSpanId"} and isinstance(entry, str)
        else _protobuf_ids(entry)
        for key, entry in value.items()
    }
