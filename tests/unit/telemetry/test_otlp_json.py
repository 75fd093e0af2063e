"""OTLP in JSON: what two readers could understand differently is refused."""

import json

import pytest

from sealgate.model.errors import EncodingError
from sealgate.telemetry.otlp_json import decode_logs, decode_traces

SPAN = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "name": "execute_tool pay", "startTimeUnixNano": "1"}
REQUEST = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}]})


@pytest.mark.parametrize("text", [REQUEST, REQUEST.replace(" ", ""), json.dumps(json.loads(REQUEST), indent=2)])
def test_a_request_is_read_however_it_is_spaced(text):
    """Spaced or compact: the same span."""
    (span,) = decode_traces(text.encode()).good

    assert (span.name.replace(" ", ""), span.span_id) == ("execute_toolpay", SPAN["spanId"])


@pytest.mark.parametrize("spaced", [True, False])
@pytest.mark.parametrize(
    ("once", "twice"),
    [
        ('"name": "execute_tool pay"', '"name": "execute_tool pay", "name": "execute_tool look"'),
        ('"resourceSpans": [', '"resourceSpans": [], "resourceSpans": ['),
        ('"spans": [', '"unknown": {"a": 1, "\\u0061": 2}, "spans": ['),
    ],
)
def test_a_key_that_comes_twice_refuses_the_request(once, twice, spaced):
    """In a span, at the top, in a member that nobody reads, written with an escape: no reader is to choose."""
    text = REQUEST.replace(once, twice)
    assert text != REQUEST

    with pytest.raises(EncodingError, match="twice"):
        decode_traces((text if spaced else text.replace(": ", ":").replace(", ", ",")).encode())


def test_log_records_are_read_as_strictly():
    """The same for logs."""
    good = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"stringValue":"x"}}]}]}]}'

    assert len(decode_logs(good).good) == 1
    with pytest.raises(EncodingError, match="twice"):
        decode_logs(good.replace(b'"timeUnixNano":"1"', b'"timeUnixNano":"1","timeUnixNano":"2"'))


def test_nesting_without_end_is_refused():
    """Deep nesting is an error of the request, not of the receiver."""
    with pytest.raises(EncodingError):
        decode_traces(b'{ "resourceSpans":[], "x":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
