"""The collector's routing table. Further receivers add their routes here and their handlers to ``handlers``."""

from typing import Any, Final

import msgspec

from sealgate.collector.service import BatchResult
from sealgate.model.batches import MAX_SENT_BYTES
from sealgate.server import answers
from sealgate.server.route import Route

ENFORCE: Final = frozenset({"enforce"})


class SentBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A batch of items. ``batch_id`` is yours and counts once; ``items`` are as schema/item.json says."""

    batch_id: str
    items: list[dict[str, Any]]


ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "POST",
        "/v1/records/batch",
        "take_batch",
        "Record a batch of captured items; bad ones are refused one by one",
        answer=BatchResult,
        roles=ENFORCE,
        takes=SentBatch,
        max_bytes=MAX_SENT_BYTES,
        codes=("busy",),
    ),
    Route("GET", "/healthz", "health", "The process answers", answer=answers.Health),
    Route("GET", "/readyz", "ready", "Items can be recorded, or why not", answer=answers.Readiness),
    Route("GET", "/metrics", "metrics", "Figures for Prometheus", answer="text/plain"),
    Route("GET", "/openapi.json", "document", "This document", answer=dict[str, Any]),
)
