"""OTLP/HTTP at the level of its bytes: encodings, partial success, bounds, what is refused and how."""

import base64
import gzip
import json

import httpx
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from sealgate.adapters.configuration import loading
from sealgate.collector.service import Bounds
from sealgate.model.errors import ConfigurationError
from sealgate.server.otlp.admission import LoopbackAdmission
from sealgate.telemetry.bounds import Bounds as OtlpBounds

from .otlp_world import KEY, Keys, running

TRACE, SPAN = "0bef88d91bb1c9e1ed36d3d87a2c371c", "542d59138e957782"
PROTOBUF, JSON = "application/x-protobuf", "application/json"


def span(number=0, **more):
    """A tool's span in OTLP JSON."""
    return {
        "traceId": TRACE,
        "spanId": f"{int(SPAN, 16) + number:016x}",
        "name": "execute_tool pay",
        "kind": 1,
        "startTimeUnixNano": "1795216428191885419",
        "endTimeUnixNano": 1795216428204679214,
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}},
            {"key": "gen_ai.tool.name", "value": {"stringValue": "pay"}},
            {"key": "gen_ai.tool.call.arguments", "value": {"stringValue": '{"amount":5}'}},
        ],
        "somethingNewer": {"is": "ignored"},
        **more,
    }


def request(*spans):
    """An export request in OTLP JSON."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "banker"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "t"}, "spans": list(spans)}]}]}


def protobuf(*names):
    """An export request in protobuf, one span a name."""
    made = ExportTraceServiceRequest()
    scoped = made.resource_spans.add().scope_spans.add()
    for number, name in enumerate(names, 1):
        scoped.spans.add(
            trace_id=bytes.fromhex(TRACE), span_id=number.to_bytes(8), name=name, start_time_unix_nano=10**18
        )
    return made


def post(world, body, content_type=JSON, path="/v1/traces", **headers):
    """Send a request with the good key unless another is named."""
    sent = {"authorization": KEY, "content-type": content_type, **headers}
    return httpx.post(f"http://127.0.0.1:{world.http}{path}", content=body, headers=sent, timeout=60)


def test_json_with_hex_ids_and_decimal_strings_is_taken():
    """OTLP JSON as the specification has it arrives, and the answer is JSON."""
    with running() as world:
        answer = post(world, json.dumps(request(span())))
        item = world.authority.items()[0]
    assert (answer.status_code, answer.headers["content-type"], answer.json()) == (200, JSON, {})
    assert (item["trace_id"], item["span_id"], item["duration_ms"]) == (TRACE, SPAN, 12)
    assert item["attributes"]["input"]["value"] == {"amount": 5}


def test_bad_spans_are_rejected_one_by_one():
    """Wrong ids, times and enumerations reject their span and say why; the good one is kept."""
    bad = [
        span(1, traceId=base64.b64encode(bytes.fromhex(TRACE)).decode()),
        span(2, spanId="0" * 16),
        span(3, kind="SPAN_KIND_CLIENT"),
        span(4, startTimeUnixNano="0", endTimeUnixNano="0"),
        span(5, attributes=[{"key": "a", "value": {"stringValue": "x", "intValue": "1"}}]),
    ]
    with running() as world:
        answer = post(world, json.dumps(request(span(), *bad))).json()
        items = world.authority.items()
    assert answer["partialSuccess"]["rejectedSpans"] == "5"
    reasons = "invalid_span_id: 1, invalid_time: 1, invalid_trace_id: 1, malformed: 2"
    assert answer["partialSuccess"]["errorMessage"] == reasons
    assert [item["span_id"] for item in items] == [SPAN]


def test_what_the_collector_refuses_is_part_of_the_partial_success():
    """A span whose item the collector refuses counts as rejected, in protobuf too."""
    made = protobuf("good", "bad")
    made.resource_spans[0].scope_spans[0].spans[1].attributes.add(key="sealgate.agent.id").value.string_value = (
        "x" * 300
    )
    with running() as world:
        answer = post(world, made.SerializeToString(), PROTOBUF)
        items = world.authority.items()
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.headers["content-type"], partial.rejected_spans, partial.error_message) == (
        PROTOBUF,
        1,
        "invalid: 1",
    )
    assert [item["attributes"]["data"]["name"] for item in items] == ["good"]


@pytest.mark.parametrize("packed", [False, True])
def test_bounds_hold_after_unpacking(packed):
    """A request over the bound is refused whether it is packed or not; gzip is unpacked no further than the bound."""
    big = b" " * 200_000 + json.dumps(request(span())).encode()
    with running(bounds=OtlpBounds(max_bytes=100_000)) as world:
        headers = {"content-encoding": "gzip"} if packed else {}
        refused = post(world, gzip.compress(big) if packed else big, **headers)
        assert refused.status_code == (400 if packed else 413)
        assert world.authority.items() == []
        small = gzip.compress(json.dumps(request(span())).encode())
        assert post(world, small, **{"content-encoding": "gzip"}).status_code == 200
        assert len(world.authority.items()) == 1


@pytest.mark.parametrize(
    ("body", "content_type", "headers", "status"),
    [
        (b"\xff\xff\xff", PROTOBUF, {}, 400),
        (b"[]", JSON, {}, 400),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":{}}]}]}', JSON, {}, 400),
        (b"[" * 100_000, JSON, {}, 400),
        (b"{}", "text/plain", {}, 415),
        (b"{}", JSON, {"content-encoding": "br"}, 415),
        (b"{}", JSON, {"content-encoding": "gzip"}, 400),
        (gzip.compress(b"{}", mtime=0)[:-4], JSON, {"content-encoding": "gzip"}, 400),
        (gzip.compress(b"{}", mtime=0) + b"x", JSON, {"content-encoding": "gzip"}, 400),
        (b"{}", JSON, {"authorization": "Bearer wrong"}, 401),
        (b"{}", JSON, {}, 200),
        (b"", PROTOBUF, {}, 200),
        (b"{}", "application/json; charset=utf-8", {}, 200),
    ],
)
def test_what_is_no_request_is_refused(body, content_type, headers, status):
    """Each malformed request has its own status; an empty one is fine."""
    with running() as world:
        assert post(world, body, content_type, **headers).status_code == status


def test_refusals_are_statuses_in_the_encoding_of_the_request():
    """A refused protobuf request is answered with google.rpc.Status in protobuf, a JSON one in JSON."""
    with running() as world:
        in_protobuf = post(world, b"\xff\xff", PROTOBUF)
        in_json = post(world, b"[]")
    assert Status.FromString(in_protobuf.content).code == in_json.json()["code"] == 3
    assert "OTLP" in in_json.json()["message"]


def test_a_busy_collector_answers_429_and_when_to_come_back():
    """With no place left nothing is taken; an authority that is away is 503. Both say when to come back."""
    with running(collector_bounds=Bounds(pending_requests=0)) as world:
        busy = post(world, json.dumps(request(span())))
        assert (busy.status_code, busy.headers["retry-after"]) == (429, "1")
    with running() as world:
        world.authority.away = True
        away = post(world, json.dumps(request(span())))
        assert (away.status_code, away.headers["retry-after"]) == (503, "1")
        world.authority.away = False
        assert post(world, json.dumps(request(span()))).status_code == 200


def test_metrics_are_not_taken_and_it_says_so():
    """An exporter of metrics is told plainly, and not to come back."""
    with running() as world:
        answer = post(world, b"", PROTOBUF, "/v1/metrics")
    status = Status.FromString(answer.content)
    assert (answer.status_code, status.code, status.message) == (
        404,
        12,
        "metrics are not taken here: send traces and logs",
    )


def test_logs_have_their_own_answer():
    """A log record without a time is rejected and counted as a log record."""
    record = {"timeUnixNano": "1795216428191885419", "severityNumber": 17, "body": {"stringValue": "it broke"}}
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record, {"body": {"stringValue": "when?"}}]}]}]}
    with running() as world:
        answer = post(world, json.dumps(body), path="/v1/logs").json()
        items = world.authority.items()
        packed = post(world, b"", PROTOBUF, "/v1/logs")
    assert answer == {"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "invalid_time: 1"}}
    assert [(item["kind"], item["attributes"]["error"]["message"]) for item in items] == [("error", "it broke")]
    assert ExportLogsServiceResponse.FromString(packed.content) == ExportLogsServiceResponse()


def test_unproven_local_senders_need_the_operators_word():
    """Without a key a sender is refused; where the operator allows it, it may speak for the named agents only."""
    headers = {"content-type": JSON}
    with running() as world:
        url = f"http://127.0.0.1:{world.http}/v1/traces"
        assert httpx.post(url, json=request(span()), headers=headers, timeout=60).status_code == 401
    with running(resolver=LoopbackAdmission(Keys(), ("banker",))) as world:
        url = f"http://127.0.0.1:{world.http}/v1/traces"
        assert httpx.post(url, json=request(span()), headers=headers, timeout=60).json() == {}
        stranger = span(1)
        stranger["attributes"].append({"key": "sealgate.agent.id", "value": {"stringValue": "stranger"}})
        answer = httpx.post(url, json=request(stranger), headers=headers, timeout=60).json()
        assert answer["partialSuccess"]["errorMessage"] == "subject-not-allowed: 1"
        wrong = {**headers, "authorization": "Bearer wrong"}
        assert httpx.post(url, json=request(span()), headers=wrong, timeout=60).status_code == 401
        assert [batch.proof for batch in world.authority.batches] == ["loopback"]


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ('http = "0.0.0.0:4318"', "without TLS"),
        ('grpc = "[::]:4317"', "without TLS"),
        ('http = "localhost:4318"', "without TLS"),
        ('http = "4318"', "no address"),
        ('authentication = "loopback"', "is empty"),
        ('certificate = "c.pem"', "go together"),
        ('client_ca = "ca.pem"', "needs a certificate"),
        (
            'http = "0.0.0.0:4318"\ncertificate = "c"\nkey = "k"\nauthentication = "loopback"\nloopback_agents = ["a"]',
            "open to everybody",
        ),
        ("", None),
        ('http = "0.0.0.0:4318"\ncertificate = "c"\nkey = "k"', None),
        ('http = "[::1]:4318"\nauthentication = "loopback"\nloopback_agents = ["a"]', None),
    ],
)
def test_settings_that_would_be_open_are_refused(tmp_path, section, words):
    """Keys over plain TCP, an open port for everybody, halves of a pair: refused when the file is read."""
    path = tmp_path / "sealgate.toml"
    text = f'[authority]\norigin = "a.example/b"\nid = "a"\ndata_directory = "{tmp_path}"\n[otlp]\nenabled = "yes"\n'
    path.write_text(text + section + "\n")
    if words is None:
        assert loading.load(path, {}, ()).otlp.enabled == "yes"
        return
    with pytest.raises(ConfigurationError, match=words):
        loading.load(path, {}, ())
