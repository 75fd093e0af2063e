"""What the process says of itself."""

from sealgate.server import metrics
from sealgate.server.messages import Response

from .area import Area
from .call import Call, encode


class ServiceHandlers(Area):
    """The handlers of the routing table of this name."""

    async def metadata(self, call: Call) -> Response:
        """Return the AuthZEN metadata."""
        del call
        return Response(200, self._metadata, headers=[(b"cache-control", b"public, max-age=3600")])

    async def health(self, call: Call) -> Response:
        """Say that the process answers."""
        del call
        return Response(200, b'{"status":"ok"}')

    async def ready(self, call: Call) -> Response:
        """Say whether decisions can be recorded, or why not."""
        del call
        state = self._operations.readiness()
        if self.stopping:
            state = {"ready": False, "checks": {**state["checks"], "server": "stopping"}}
        if self.children:
            beside = {f"child {name}": doing for name, doing in self.children.items()}
            state = {**state, "checks": {**state["checks"], **beside}}
        return Response(200 if state["ready"] else 503, encode(state))

    async def metrics(self, call: Call) -> Response:
        """Return the figures."""
        del call
        return Response(200, self._counts.exposition(self._operations.metrics()), metrics.CONTENT_TYPE)

    async def document(self, call: Call) -> Response:
        """Return the OpenAPI document."""
        del call
        return Response(200, self.openapi)
