"""Packages and what is thought of their servers."""

from sealgate.server.messages import Response

from .area import Area
from .call import Call, encode, typed


class SupplyHandlers(Area):
    """The handlers of the routing table of this name."""

    async def verify_package(self, call: Call) -> Response:
        """Record a verification."""
        return Response(200, encode(await self._operations.verify_package(typed(call), call.caller)))

    async def install_package(self, call: Call) -> Response:
        """Record an installation."""
        return Response(200, encode(await self._operations.install_package(typed(call), call.caller)))

    async def score_trust(self, call: Call) -> Response:
        """Record a trust score."""
        return Response(200, encode(await self._operations.score_trust(typed(call), call.caller)))

    async def packages(self, call: Call) -> Response:
        """List packages."""
        del call
        return Response(200, encode(self._operations.packages()))

    async def trust_scores(self, call: Call) -> Response:
        """List trust scores."""
        del call
        return Response(200, encode(self._operations.trust_scores()))
