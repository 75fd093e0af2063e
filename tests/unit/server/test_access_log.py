"""The access log: what is in a line, and what never is."""

import io
import json

from sealgate.model.evaluation import Identity
from sealgate.server.access_log import AccessLog
from sealgate.server.messages import Request, Response

CALLER = Identity("gateway", "api_key")
SECRET = Request(
    "POST", "/v1/agents/s3cret/pause", b'{"reason":"s3cret"}', authorization=b"Bearer s3cret", request_id=b"r"
)


def _lines(log: AccessLog, stream: io.StringIO) -> list[dict[str, object]]:
    log.start()
    log.stop()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_who_and_what_but_no_secret():
    """Route, status, caller and time; neither key nor path nor body."""
    stream = io.StringIO()
    log = AccessLog(stream, "all")
    log.note(SECRET, "/v1/agents/{id}/pause", Response(200, b"{}"), CALLER, 0.0015)

    (line,) = _lines(log, stream)

    assert (line["route"], line["status"], line["principal"], line["duration_us"]) == (
        "/v1/agents/{id}/pause",
        200,
        "gateway",
        1500,
    )
    assert "s3cret" not in stream.getvalue()


def test_by_default_only_problems_are_noted():
    """A decision has its record; a refusal has only this line."""
    stream = io.StringIO()
    log = AccessLog(stream)
    for status in (200, 403):
        log.note(SECRET, "/", Response(status, b""), CALLER, 0.0)

    assert [line["status"] for line in _lines(log, stream)] == [403]


def test_too_many_lines_are_counted_instead():
    """A log that cannot keep up costs neither memory nor time, and says so."""
    stream = io.StringIO()
    log = AccessLog(stream, "all")
    for _ in range(10_005):
        log.note(SECRET, "/", Response(200, b""), CALLER, 0.0)

    lines = _lines(log, stream)

    assert lines[0] == {"event": "access_log_dropped", "lines": 5}
    assert len(lines) == 10_001
