"""What all handlers share."""

from collections.abc import Mapping

from sealgate.server import answers, metrics
from sealgate.server.bounds import MAX_IN_FLIGHT
from sealgate.server.operations import Operations

from .call import encode


class Area:
    """Handlers over one authority. ``stopping`` turns every new decision into SILENCE."""

    def __init__(
        self, operations: Operations, counts: metrics.Metrics, public_url: str, *, max_in_flight: int = MAX_IN_FLIGHT
    ) -> None:
        self._operations = operations
        self._counts = counts
        self._max_in_flight = max_in_flight
        self._metadata = encode(
            answers.Metadata(public_url, f"{public_url}/access/v1/evaluation", f"{public_url}/access/v1/evaluations")
        )
        self.openapi = b"{}"
        self.stopping = False
        self.children: Mapping[str, str] = {}
        """What each process beside the authority does. Shown with readiness, never a part of it."""
