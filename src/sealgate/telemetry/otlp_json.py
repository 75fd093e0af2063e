"""OTLP in JSON, strictly as its specification has it.

Member names in lowerCamelCase, ids in hex, enumerations as numbers, 64-bit integers as decimal strings (or numbers, as
the protobuf JSON mapping also allows). Members that nobody knows are ignored, as the specification asks. Anything else
rejects the one span; only what is not a request at all refuses the request.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any, Final

import orjson

from sealgate.encoding.canonical import refuse_repeated_keys
from sealgate.model.errors import EncodingError

from . import spans as model
from .bounds import DEFAULT, Bounds
from .spans import Attributes, Decoded, Event, LogRecord, RejectedError, Source, Span, Value, begin, real, whole

_HEX: Final = re.compile(r"[0-9a-fA-F]*", re.ASCII)
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}", re.ASCII)


def decode_traces(data: bytes, bounds: Bounds = DEFAULT) -> Decoded[Span]:
    """Return the spans of an ExportTraceServiceRequest.

    Raises:
        EncodingError: the bytes are no such request, or hold more than ``bounds`` allows.
    """
    decoded: Decoded[Span] = Decoded()
    count = 0
    for group in _groups(data, "resourceSpans", bounds):
        for scoped in _objects(group, "scopeSpans"):
            spans = _list(scoped, "spans")
            count += len(spans)
            _check_count(count, bounds)
            for span in spans:
                try:
                    decoded.good.append(_span(span, _source(group, scoped, bounds), bounds))
                except RejectedError as error:
                    decoded.rejected[error.reason] += 1
    return decoded


def decode_logs(data: bytes, bounds: Bounds = DEFAULT) -> Decoded[LogRecord]:
    """Return the log records of an ExportLogsServiceRequest.

    Raises:
        EncodingError: the bytes are no such request, or hold more than ``bounds`` allows.
    """
    decoded: Decoded[LogRecord] = Decoded()
    count = 0
    for group in _groups(data, "resourceLogs", bounds):
        for scoped in _objects(group, "scopeLogs"):
            records = _list(scoped, "logRecords")
            count += len(records)
            _check_count(count, bounds)
            for record in records:
                try:
                    decoded.good.append(_log_record(record, _source(group, scoped, bounds), bounds))
                except RejectedError as error:
                    decoded.rejected[error.reason] += 1
    return decoded


def _groups(data: bytes, name: str, bounds: Bounds) -> list[dict[str, Any]]:
    if len(data) > bounds.max_bytes:
        raise EncodingError(f"request has {len(data)} bytes", hint=f"send at most {bounds.max_bytes}")
    try:
        request = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise EncodingError(f"not JSON: {error}", hint="send OTLP JSON") from error
    refuse_repeated_keys(data, request)
    if type(request) is not dict:
        raise EncodingError("the body is not an OTLP request", hint=f"send an object with `{name}`")
    return _objects(request, name)


def _list(parent: dict[str, Any], name: str) -> list[Any]:
    found = parent.get(name)
    if found is None:
        return []
    if type(found) is not list:
        raise EncodingError(f"`{name}` is not an array", hint="send OTLP JSON")
    return found


def _objects(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = _list(parent, name)
    if any(type(entry) is not dict for entry in found):
        raise EncodingError(f"`{name}` holds something that is not an object", hint="send OTLP JSON")
    return found


def _check_count(count: int, bounds: Bounds) -> None:
    if count > bounds.max_spans:
        raise EncodingError(f"request holds more than {bounds.max_spans} entries", hint="send smaller batches")


_SOURCE: Final = "\0source"  # no member of OTLP has such a name, and orjson made the dictionary for us alone


def _source(group: dict[str, Any], scoped: dict[str, Any], bounds: Bounds) -> Source:
    known = scoped.get(_SOURCE)
    if type(known) is not Source:
        resource, scope = _object(group, "resource"), _object(scoped, "scope")
        known = Source(_attributes(resource, bounds), _text(scope, "name"), _text(scope, "version"))
        scoped[_SOURCE] = known
    return known


def _span(span: object, source: Source, bounds: Bounds) -> Span:
    if type(span) is not dict:
        raise RejectedError(model.MALFORMED)
    end = _integer(span, "endTimeUnixNano")
    status = _object(span, "status")
    events, links = _members(span, "events"), _members(span, "links")
    if len(events) > bounds.max_events or len(links) > bounds.max_events:
        raise RejectedError(model.TOO_MANY)
    return Span(
        _id(span, "traceId", 32) or _reject(model.NO_TRACE_ID),
        _id(span, "spanId", 16) or _reject(model.NO_SPAN_ID),
        _id(span, "parentSpanId", 16),
        _text(span, "name"),
        _integer(span, "kind"),
        begin(_integer(span, "startTimeUnixNano"), end),
        end,
        _attributes(span, bounds),
        _integer(status, "code"),
        _text(status, "message"),
        [Event(_text(event, "name"), _integer(event, "timeUnixNano"), _attributes(event, bounds)) for event in events],
        [
            (trace_id, span_id)
            for link in links
            if (trace_id := _id(link, "traceId", 32)) and (span_id := _id(link, "spanId", 16))
        ],
        source,
    )


def _log_record(record: object, source: Source, bounds: Bounds) -> LogRecord:
    if type(record) is not dict:
        raise RejectedError(model.MALFORMED)
    return LogRecord(
        _id(record, "traceId", 32),
        _id(record, "spanId", 16),
        begin(_integer(record, "timeUnixNano"), _integer(record, "observedTimeUnixNano")),
        _text(record, "eventName"),
        _integer(record, "severityNumber"),
        _value(record.get("body"), bounds.max_depth),
        _attributes(record, bounds),
        source,
    )


def _reject(reason: str) -> str:
    raise RejectedError(reason)


def _id(parent: dict[str, Any], name: str, digits: int) -> str | None:
    """Return an id in lower case, None where it is absent, empty or all zeros."""
    found = parent.get(name)
    if found is None or found == "":
        return None
    if type(found) is not str or len(found) != digits or not _HEX.fullmatch(found):
        raise RejectedError(model.NO_TRACE_ID if name == "traceId" else model.NO_SPAN_ID)
    return found.lower() if found.strip("0") else None


def _text(parent: dict[str, Any], name: str) -> str:
    found = parent.get(name)
    if found is None:
        return ""
    if type(found) is not str:
        raise RejectedError(model.MALFORMED)
    return found


def _integer(parent: dict[str, Any], name: str) -> int:
    return _as_integer(parent.get(name, 0))


def _as_integer(found: object) -> int:
    if type(found) is str and _INTEGER.fullmatch(found):
        return int(found)
    if type(found) is int:
        return found
    if found is None:
        return 0
    raise RejectedError(model.MALFORMED)


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    found = parent.get(name)
    if found is None:
        return {}
    if type(found) is not dict:
        raise RejectedError(model.MALFORMED)
    return found


def _members(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = parent.get(name)
    if found is None:
        return []
    if type(found) is not list or any(type(entry) is not dict for entry in found):
        raise RejectedError(model.MALFORMED)
    return found


def _attributes(parent: dict[str, Any], bounds: Bounds) -> Attributes:
    pairs = _members(parent, "attributes")
    if len(pairs) > bounds.max_attributes:
        raise RejectedError(model.TOO_MANY)
    return {_text(pair, "key"): _value(pair.get("value"), bounds.max_depth) for pair in pairs}


def _value(value: object, depth: int) -> Value:
    if value is None:
        return None
    if type(value) is not dict or len(value) > 1:
        raise RejectedError(model.MALFORMED)
    for name, found in value.items():
        read = _READ.get(name)
        if read is None:  # a kind of value that is newer than we are
            return None
        return read(found, depth)
    return None


def _string(found: object, _depth: int) -> Value:
    if type(found) is not str:
        raise RejectedError(model.MALFORMED)
    return found


def _boolean(found: object, _depth: int) -> Value:
    if type(found) is not bool:
        raise RejectedError(model.MALFORMED)
    return found


def _int(found: object, _depth: int) -> Value:
    return whole(_as_integer(found))


def _double(found: object, _depth: int) -> Value:
    if found in ("NaN", "Infinity", "-Infinity"):
        return str(found)
    if type(found) is str and re.fullmatch(r"-?[0-9]{1,32}(\.[0-9]{1,32})?([eE][+-]?[0-9]{1,3})?", found):
        return real(float(found))
    if type(found) is int:
        return whole(found)
    if type(found) is not float:
        raise RejectedError(model.MALFORMED)
    return real(found)


def _bytes(found: object, _depth: int) -> Value:
    if type(found) is not str:
        raise RejectedError(model.MALFORMED)
    try:
        return model.base64_text(b64decode(found, validate=True))
    except (Base64Error, ValueError):
        raise RejectedError(model.MALFORMED) from None


def _array(found: object, depth: int) -> Value:
    if type(found) is not dict:
        raise RejectedError(model.MALFORMED)
    if depth <= 1:
        raise RejectedError(model.TOO_DEEP)
    values = found.get("values")
    if values is None:
        return []
    if type(values) is not list:
        raise RejectedError(model.MALFORMED)
    return [_value(entry, depth - 1) for entry in values]


def _map(found: object, depth: int) -> Value:
    if type(found) is not dict:
        raise RejectedError(model.MALFORMED)
    if depth <= 1:
        raise RejectedError(model.TOO_DEEP)
    return {_text(pair, "key"): _value(pair.get("value"), depth - 1) for pair in _members(found, "values")}


_READ: Final = {
    "stringValue": _string,
    "intValue": _int,
    "boolValue": _boolean,
    "doubleValue": _double,
    "arrayValue": _array,
    "kvlistValue": _map,
    "bytesValue": _bytes,
}
