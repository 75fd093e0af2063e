"""The evidence service's routing table. Which role may ask what is said by the reading policies, not here."""

from typing import Any, Final

from sealgate.model.limits import MAX_REQUEST_BYTES
from sealgate.server import answers
from sealgate.server.route import KNOWN, Route

from . import messages

_CODES: Final = ("read-refused", "query-too-long")


def _read(method: str, path: str, handler: str, summary: str, **more: Any) -> Route:
    codes = (*_CODES, *more.pop("codes", ()))
    if method == "POST":
        more["max_bytes"] = MAX_REQUEST_BYTES
    return Route(method, path, handler, summary, roles=KNOWN, codes=codes, **more)


ROUTES: Final[tuple[Route, ...]] = (
    _read(
        "GET",
        "/v1/traces/{trace_id}",
        "trace",
        "The decision chain of a task, trace, session or record",
        answer=messages.TraceAnswer,
        codes=("record-unknown",),
    ),
    _read(
        "POST",
        "/v1/traces/{trace_id}",
        "trace_with_reason",
        "The same, with a reason or in a named role",
        takes=messages.Why,
        answer=messages.TraceAnswer,
        codes=("record-unknown",),
    ),
    _read(
        "POST",
        "/v1/search",
        "search",
        "Records that fit a filter, newest first",
        takes=messages.SearchRequest,
        answer=messages.SearchAnswer,
    ),
    _read(
        "POST",
        "/v1/aggregate",
        "aggregate",
        "Groups of records and a measure of each",
        takes=messages.AggregateRequest,
        answer=messages.AggregateAnswer,
    ),
    _read(
        "GET",
        "/v1/explain/{record_id}",
        "explain",
        "One record in plain words",
        answer=messages.ExplainAnswer,
        codes=("record-unknown",),
    ),
    _read(
        "POST",
        "/v1/explain/{record_id}",
        "explain_with_reason",
        "The same, with a reason or in a named role",
        takes=messages.Why,
        answer=messages.ExplainAnswer,
        codes=("record-unknown",),
    ),
    _read(
        "POST",
        "/v1/exports",
        "export",
        "Make an export of all that fits a filter",
        takes=messages.ExportRequest,
        answer=messages.ExportAnswer,
        codes=("export-too-large",),
    ),
    _read(
        "GET",
        "/v1/exports/{export_id}/parts/{part}",
        "export_part",
        "A part of an export that the caller made",
        answer="application/octet-stream",
        codes=("export-unknown",),
    ),
    _read("GET", "/v1/evidence/status", "status", "How far the store follows the log", answer=messages.StatusAnswer),
    Route("GET", "/healthz", "health", "The process answers", answer=answers.Health),
    Route("GET", "/readyz", "ready", "Reads can be answered and recorded, or why not", answer=answers.Readiness),
    Route("GET", "/metrics", "metrics", "Figures for Prometheus", answer="text/plain"),
    Route("GET", "/openapi.json", "document", "This document", answer=dict[str, Any]),
)
