"""What the process says of itself."""

from typing import Any, Final

from sealgate.server import answers
from sealgate.server.route import Route, get

ROUTES: Final[tuple[Route, ...]] = (
    get("/.well-known/authzen-configuration", "metadata", "What this decision point offers", answer=answers.Metadata),
    get("/healthz", "health", "The process answers", answer=answers.Health),
    get("/readyz", "ready", "Decisions can be recorded, or why not", answer=answers.Readiness),
    get("/metrics", "metrics", "Figures for Prometheus", answer="text/plain"),
    get("/openapi.json", "document", "This document", answer=dict[str, Any]),
)
