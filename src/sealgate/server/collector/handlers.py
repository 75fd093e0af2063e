"""What each route of the collector does."""

from typing import Final

import msgspec

from sealgate.collector.service import Collector
from sealgate.model.errors import UnavailableError
from sealgate.server import metrics
from sealgate.server.handlers import Call
from sealgate.server.messages import Response

_encode: Final = msgspec.json.Encoder().encode


class Handlers:
    """The handlers over one collector."""

    def __init__(self, collector: Collector, counts: metrics.Metrics, openapi: bytes) -> None:
        self._collector = collector
        self._counts = counts
        self._openapi = openapi
        self.stopping = False

    async def take_batch(self, call: Call) -> Response:
        """Take a native batch; the answer comes when what was kept is on stable storage."""
        if self.stopping:
            raise UnavailableError("the collector is stopping", hint="send the same batch again shortly")
        return Response(200, _encode(await self._collector.take_batch(call.request.body, call.caller)))

    async def health(self, call: Call) -> Response:
        """Say that the process answers."""
        del call
        return Response(200, b'{"status":"ok"}')

    async def ready(self, call: Call) -> Response:
        """Say whether items can be recorded, or why not."""
        del call
        state = self._collector.readiness()
        if self.stopping:
            state = {"ready": False, "checks": {**state["checks"], "server": "stopping"}}
        return Response(200 if state["ready"] else 503, _encode(state))

    async def metrics(self, call: Call) -> Response:
        """Return the figures."""
        del call
        return Response(200, self._counts.exposition(self._collector.metrics()), metrics.CONTENT_TYPE)

    async def document(self, call: Call) -> Response:
        """Return the OpenAPI document."""
        del call
        return Response(200, self._openapi)
