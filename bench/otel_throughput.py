"""How fast OTLP requests become items: decode and map alone, in processor time, for ``bench.ingest`` and by itself.

The spans are those of the OpenInference and OpenLLMetry captures, with ids and times of their own, in requests of 512
as the SDK's exporters send them.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.otel_replay import captures, replay_capture
from sealgate.telemetry.mapping import Sender
from sealgate.telemetry.requests import Export, translate

SPANS_A_REQUEST = 512


def requests(folder: Path, count: int, *, now_ns: int) -> Iterator[bytes]:
    """Yield OTLP requests in protobuf, ``count`` of them; each span has an id and a time that no other has."""
    patterns = [
        (group, span)
        for _, captured in captures(folder)
        for group in ExportTraceServiceRequest.FromString(replay_capture(captured)).resource_spans
        for span in group.scope_spans[0].spans
    ]
    number = 0
    for _ in range(count):
        request = ExportTraceServiceRequest()
        made = request.resource_spans.add()
        made.resource.CopyFrom(patterns[0][0].resource)
        for pattern in made.resource.attributes:
            if pattern.key == "service.name":
                pattern.value.string_value = "bench-agent"
        scoped = made.scope_spans.add()
        scoped.scope.CopyFrom(patterns[0][0].scope_spans[0].scope)
        for _ in range(SPANS_A_REQUEST):
            number += 1
            span = scoped.spans.add()
            span.CopyFrom(patterns[number % len(patterns)][1])
            took = span.end_time_unix_nano - span.start_time_unix_nano
            span.span_id = number.to_bytes(8, "big")
            span.trace_id = (now_ns + number // 8).to_bytes(16, "big")
            span.start_time_unix_nano = now_ns + number
            span.end_time_unix_nano = now_ns + number + took
        yield request.SerializeToString()


def otlp(folder: Path, count: int = 40) -> dict[str, float]:
    """Return spans and items a second of processor time, and microseconds a span, of decoding and mapping."""
    exports = [Export("traces", "protobuf", body) for body in requests(folder, count, now_ns=time.time_ns())]
    sender = Sender("bench", "bench-agent")
    translate(exports[0], sender)
    started = time.process_time()
    items = sum(len(translate(export, sender).items) for export in exports)
    seconds = time.process_time() - started
    spans = count * SPANS_A_REQUEST
    return {
        "otlp_decode_map_spans_per_cpu_s": round(spans / seconds),
        "otlp_decode_map_us_per_span": round(seconds / spans * 1e6, 1),
        "otlp_items_per_span": round(items / spans, 2),
    }
