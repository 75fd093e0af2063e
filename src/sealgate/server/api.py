"""What one service offers over HTTP: its routing table, the handlers it names, its life from start to stop.

The authority is one such service; every other process of ours that answers requests is served by the same code, with
the same order of checks, the same errors and the same identities.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .handlers import Handlers
from .listeners import Listeners
from .metrics import Metrics
from .openapi import document_bytes
from .operations import Operations
from .route import Route
from .routes import ROUTES


class Service(Protocol):
    """A life: what a server starts before it listens and stops after the last answer."""

    async def start(self) -> None:
        """Get ready to answer. Raises UnavailableError when that cannot be; nothing is served then."""

    async def stop(self) -> None:
        """Make durable what was accepted and let go of everything."""


class Named(Protocol):
    """The handlers of a routing table: a coroutine method for each name in it, taking a ``Call``."""

    stopping: bool
    """Set when the server begins to stop: readiness turns false, new work is refused."""


@dataclass(frozen=True, slots=True)
class Api:
    """One service as a server serves it."""

    service: Service
    routes: Sequence[Route]
    handlers: Named
    metrics: Metrics


def authority_api(operations: Operations, listeners: Listeners) -> Api:
    """Return the authority's API."""
    metrics = Metrics()
    handlers = Handlers(operations, metrics, listeners.public_url, max_in_flight=listeners.max_in_flight)
    handlers.openapi = document_bytes()
    return Api(operations, ROUTES, handlers, metrics)
