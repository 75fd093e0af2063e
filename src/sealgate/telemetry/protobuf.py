"""OTLP in protobuf. The bytes are parsed by protobuf's own C decoder; what is read from it is read once."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sealgate.model.errors import EncodingError

from . import spans as model
from .bounds import DEFAULT, Bounds
from .spans import Attributes, Decoded, Event, LogRecord, RejectedError, Source, Span, Value, begin, real, whole


def decode_traces(data: bytes, bounds: Bounds = DEFAULT) -> Decoded[Span]:
    """Return the spans of an ExportTraceServiceRequest.

    Raises:
        EncodingError: the bytes are no such message, or hold more than ``bounds`` allows.
    """
    return read_traces(_parse(ExportTraceServiceRequest, data, bounds), bounds)


def decode_logs(data: bytes, bounds: Bounds = DEFAULT) -> Decoded[LogRecord]:
    """Return the log records of an ExportLogsServiceRequest.

    Raises:
        EncodingError: the bytes are no such message, or hold more than ``bounds`` allows.
    """
    return read_logs(_parse(ExportLogsServiceRequest, data, bounds), bounds)


def _parse(message: Any, data: bytes, bounds: Bounds) -> Any:
    if len(data) > bounds.max_bytes:
        raise EncodingError(f"request has {len(data)} bytes", hint=f"send at most {bounds.max_bytes}")
    try:
        return message.FromString(data)
    except (DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise EncodingError("the body is not an OTLP protobuf message", hint="check the exporter's protocol") from error


def read_traces(request: Any, bounds: Bounds = DEFAULT) -> Decoded[Span]:
    """Return the spans of a message that is parsed already, as gRPC does it.

    Raises:
        EncodingError: more spans than ``bounds`` allows.
    """
    decoded: Decoded[Span] = Decoded()
    count = 0
    for group in request.resource_spans:
        for scoped in group.scope_spans:
            count += len(scoped.spans)
            _check_count(count, bounds)
            source = _source(group, scoped, bounds)
            if source is None:
                decoded.rejected[model.TOO_MANY] += len(scoped.spans)
                continue
            for span in scoped.spans:
                try:
                    decoded.good.append(_span(span, source, bounds))
                except RejectedError as error:
                    decoded.rejected[error.reason] += 1
    return decoded


def read_logs(request: Any, bounds: Bounds = DEFAULT) -> Decoded[LogRecord]:
    """Return the log records of a message that is parsed already.

    Raises:
        EncodingError: more records than ``bounds`` allows.
    """
    decoded: Decoded[LogRecord] = Decoded()
    count = 0
    for group in request.resource_logs:
        for scoped in group.scope_logs:
            count += len(scoped.log_records)
            _check_count(count, bounds)
            source = _source(group, scoped, bounds)
            if source is None:
                decoded.rejected[model.TOO_MANY] += len(scoped.log_records)
                continue
            for record in scoped.log_records:
                try:
                    decoded.good.append(_log_record(record, source, bounds))
                except RejectedError as error:
                    decoded.rejected[error.reason] += 1
    return decoded


def _check_count(count: int, bounds: Bounds) -> None:
    if count > bounds.max_spans:
        raise EncodingError(f"request holds more than {bounds.max_spans} entries", hint="send smaller batches")


def _source(group: Any, scoped: Any, bounds: Bounds) -> Source | None:
    try:
        resource = _attributes(group.resource.attributes, bounds)
    except RejectedError:
        return None
    return Source(resource, scoped.scope.name, scoped.scope.version)


def _span(span: Any, source: Source, bounds: Bounds) -> Span:
    trace_id, span_id = span.trace_id, span.span_id
    if len(trace_id) != 16 or not any(trace_id):
        raise RejectedError(model.NO_TRACE_ID)
    if len(span_id) != 8 or not any(span_id):
        raise RejectedError(model.NO_SPAN_ID)
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    status = span.status
    events, links = span.events, span.links
    if len(events) > bounds.max_events or len(links) > bounds.max_events:
        raise RejectedError(model.TOO_MANY)
    return Span(
        trace_id.hex(),
        span_id.hex(),
        _span_id(span.parent_span_id),
        span.name,
        span.kind,
        begin(start, end),
        end,
        _attributes(span.attributes, bounds),
        status.code,
        status.message,
        [Event(event.name, event.time_unix_nano, _attributes(event.attributes, bounds)) for event in events]
        if events
        else [],
        _links(links) if links else [],
        source,
    )


def _log_record(record: Any, source: Source, bounds: Bounds) -> LogRecord:
    trace_id = record.trace_id
    return LogRecord(
        trace_id.hex() if len(trace_id) == 16 and any(trace_id) else None,
        _span_id(record.span_id),
        begin(record.time_unix_nano, record.observed_time_unix_nano),
        record.event_name,
        record.severity_number,
        _value(record.body, bounds.max_depth),
        _attributes(record.attributes, bounds),
        source,
    )


def _span_id(raw: bytes) -> str | None:
    return raw.hex() if len(raw) == 8 and any(raw) else None


def _links(links: Iterable[Any]) -> list[tuple[str, str]]:
    return [
        (link.trace_id.hex(), link.span_id.hex())
        for link in links
        if len(link.trace_id) == 16 and _span_id(link.span_id)
    ]


def _attributes(pairs: Any, bounds: Bounds) -> Attributes:
    if len(pairs) > bounds.max_attributes:
        raise RejectedError(model.TOO_MANY)
    depth = bounds.max_depth
    # Nearly every value is a string that is not empty: asking for it first saves a question for each attribute.
    return {pair.key: pair.value.string_value or _value(pair.value, depth) for pair in pairs}


def _value(value: Any, depth: int) -> Value:
    which = value.WhichOneof("value")
    if which == "string_value":
        return str(value.string_value)
    if which == "int_value":
        return whole(value.int_value)
    if which == "bool_value":
        return bool(value.bool_value)
    if which == "double_value":
        return real(value.double_value)
    if which == "array_value":
        if depth <= 1:
            raise RejectedError(model.TOO_DEEP)
        return [_value(entry, depth - 1) for entry in value.array_value.values]
    if which == "kvlist_value":
        if depth <= 1:
            raise RejectedError(model.TOO_DEEP)
        return {pair.key: _value(pair.value, depth - 1) for pair in value.kvlist_value.values}
    if which == "bytes_value":
        return model.base64_text(value.bytes_value)
    return None
