"""The receivers against the OpenTelemetry SDK's own exporters: what they send arrives, what they are told they heed."""

import json
import time

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from .otlp_world import KEY, OTHER_KEY, running

ARGUMENTS = {"recipient": "DE89370400440532013000", "amount": 5}


def spans(service="banker"):
    """An agent's run as the SDK makes it: a model call that asks for a tool, the tool, an error."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": service}))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("invoke_agent banker", attributes={"gen_ai.operation.name": "invoke_agent"}):
        chat = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m"}
        with tracer.start_as_current_span("chat m", attributes=chat) as span:
            call = {"type": "tool_call", "id": "call_1", "name": "send_money", "arguments": ARGUMENTS}
            span.set_attribute("gen_ai.output.messages", json.dumps([{"role": "assistant", "parts": [call]}]))
        tool = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "send_money",
            "gen_ai.tool.call.id": "call_1",
        }
        with tracer.start_as_current_span("execute_tool send_money", attributes=tool) as span:
            span.set_attribute("gen_ai.tool.call.arguments", json.dumps(ARGUMENTS))
            span.record_exception(ValueError("no such account"))
            span.set_status(trace.StatusCode.ERROR, "no such account")
    return memory.get_finished_spans()


def http_exporter(world, **more):
    """The HTTP exporter, with the good key."""
    endpoint = f"http://127.0.0.1:{world.http}/v1/traces"
    return HttpExporter(endpoint=endpoint, **{"headers": {"authorization": KEY}, "timeout": 60, **more})


def grpc_exporter(world, **more):
    """The gRPC exporter, with the good key."""
    endpoint = f"127.0.0.1:{world.grpc}"
    return GrpcExporter(endpoint=endpoint, insecure=True, **{"headers": {"authorization": KEY}, "timeout": 60, **more})


EXPORTERS = {
    "http": http_exporter,
    "http-gzip": lambda world: http_exporter(world, compression=Compression.Gzip),
    "grpc": grpc_exporter,
    "grpc-gzip": lambda world: grpc_exporter(world, compression=grpc.Compression.Gzip),
}


@pytest.mark.parametrize("name", EXPORTERS)
def test_what_an_exporter_sends_is_recorded(name):
    """Each exporter's spans become the same items, marked as observed."""
    with running() as world:
        assert EXPORTERS[name](world).export(spans()) is SpanExportResult.SUCCESS
        items = world.authority.items()
    kinds = sorted((item["kind"], (item["attributes"].get("extra") or {}).get("stage")) for item in items)
    assert kinds == [
        ("event.logged", None),
        ("model.call", None),
        ("tool.call", "executed"),
        ("tool.call", "requested"),
    ]
    assert {item["coverage"] for item in items} == {"observed"}
    assert {item["agent"] for item in items} == {"banker"}
    for item in items:
        if item["kind"] == "tool.call":
            assert item["attributes"]["input"]["value"] == ARGUMENTS
            assert item["attributes"]["call_id"] == "call_1"
    failed = next(item for item in items if (item["attributes"].get("extra") or {}).get("stage") == "executed")
    assert failed["attributes"]["error"] == {"type": "ValueError", "message": "no such account"}
    assert (failed["attributes"]["outcome"], failed["status"]) == ("failed", "error")


def test_the_same_span_sent_twice_has_the_same_item_ids():
    """A repeated export, by another transport too, makes no new item."""
    made = spans()
    with running() as world:
        http_exporter(world).export(made)
        first = {item["item_id"] for item in world.authority.items()}
        grpc_exporter(world).export(made)
        again = {item["item_id"] for item in world.authority.items()}
        http_exporter(world).export(spans())
        other = {item["item_id"] for item in world.authority.items()}
    assert len(first) == 4
    assert again == first
    assert len(other) == 8  # the control: other spans are other items


@pytest.mark.parametrize("exporter", [http_exporter, grpc_exporter])
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": OTHER_KEY}])
def test_without_a_good_key_nothing_is_taken(exporter, headers):
    """No key, an unknown key, a key without the role: refused, and the exporter does not try again."""
    with running() as world:
        started = time.monotonic()
        assert exporter(world, headers=headers).export(spans()) is SpanExportResult.FAILURE
        assert time.monotonic() - started < 20  # trying again takes half a minute
        assert world.authority.items() == []
        assert exporter(world).export(spans()) is SpanExportResult.SUCCESS


@pytest.mark.parametrize("exporter", [http_exporter, grpc_exporter])
def test_an_exporter_waits_for_an_authority_that_is_away(exporter):
    """While the authority is away an exporter is told to come back; nothing is lost and it succeeds in the end."""
    with running() as world:
        world.authority.away = True
        world.loop.call_soon_threadsafe(lambda: world.loop.call_later(1.0, setattr, world.authority, "away", False))
        assert exporter(world).export(spans()) is SpanExportResult.SUCCESS
        assert len({item["item_id"] for item in world.authority.items()}) == 4


def test_log_records_of_the_sdk_arrive():
    """The SDK's log exporter is understood: an event name, a body, the trace it belongs to."""
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

    with running() as world:
        endpoint = f"http://127.0.0.1:{world.http}/v1/logs"
        exporter = OTLPLogExporter(endpoint=endpoint, headers={"authorization": KEY}, timeout=60)
        provider = LoggerProvider(resource=Resource({"service.name": "banker"}))
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        message = {
            "role": "assistant",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "pay", "arguments": '{"to":"x"}'}}],
        }
        provider.get_logger("test").emit(
            LogRecord(
                timestamp=1_795_216_428_191_885_419,
                event_name="gen_ai.choice",
                severity_number=SeverityNumber.INFO,
                body={"index": 0, "message": message},
                attributes={"gen_ai.system": "openai"},
            )
        )
        provider.shutdown()
        items = world.authority.items()
    assert sorted(item["kind"] for item in items) == ["model.call", "tool.call"]
    call = next(item for item in items if item["kind"] == "tool.call")["attributes"]
    assert (call["tool"]["name"], call["input"]["value"]) == ("pay", {"to": "x"})
