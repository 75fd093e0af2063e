"""The log: receipts, its signed head and its tiles."""

from typing import Final

from sealgate.server import answers
from sealgate.server.route import KNOWN, Route, get

ROUTES: Final[tuple[Route, ...]] = (
    get(
        "/v1/receipts/{record_id}",
        "receipt",
        "The newest receipt of a record",
        answer=answers.Receipt,
        roles=KNOWN,
        codes=("record-unknown",),
    ),
    get(
        "/v1/receipts/{record_id}/tlog-proof",
        "tlog_proof",
        "The receipt as C2SP tlog-proof",
        answer="text/plain",
        roles=KNOWN,
        codes=("record-unknown",),
    ),
    get(
        "/v1/receipts/{record_id}/transparent-statement",
        "transparent_statement",
        "The receipt as RFC 9943 transparent statement",
        answer="application/cose",
        roles=KNOWN,
        codes=("record-unknown",),
    ),
    get("/v1/log/checkpoint", "checkpoint", "The signed head of the log", answer="text/plain"),
    get("/v1/log/tile/{tile}", "tile", "A tile or entry bundle (C2SP tlog-tiles)", answer="application/octet-stream"),
)
