"""What both receivers do with a request: translate it, have the collector take it, tell what was rejected and why."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from sealgate.model.evaluation import Identity
from sealgate.telemetry.bounds import DEFAULT, Bounds
from sealgate.telemetry.mapping import AGENT_ATTRIBUTES, Sender
from sealgate.telemetry.requests import Export, Translated

ROLES: Final = frozenset({"observe", "enforce"})
"""Who may send telemetry: exporters (`observe`), and whatever may ask for decisions anyway."""

RETRY_AFTER_S: Final = 1
"""What an exporter is told to wait when we are busy or the authority is away."""

NO_METRICS: Final = "metrics are not taken here: send traces and logs"


class Takes(Protocol):
    """The collector, as far as a receiver needs it (``collector.service.Collector``)."""

    async def take_telemetry(
        self, export: Export, sender: Sender, bounds: Bounds, caller: Identity
    ) -> tuple[Translated, Any]:
        """Return what was in a request and which items were refused, once those that are kept are on stable storage.

        Raises:
            EncodingError: the request is not what it says it is.
            BusyError: too much waits; nothing was taken.
            UnavailableError: it cannot be told whether all is recorded; send the same again.
        """


@dataclass(frozen=True, slots=True)
class Answer:
    """How many spans or log records were rejected, and a line that says why; 0 and nothing when all were taken."""

    rejected: int
    message: str


class Intake:
    """The way in that both receivers share. One event loop owns it."""

    def __init__(
        self,
        collector: Takes,
        *,
        bounds: Bounds = DEFAULT,
        agent_attributes: tuple[str, ...] = AGENT_ATTRIBUTES,
        unknown: Literal["event", "skip"] = "event",
    ) -> None:
        self._collector = collector
        self.bounds = bounds
        self._agent_attributes = agent_attributes
        self._unknown = unknown
        self.entries: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()

    async def take(self, export: Export, caller: Identity) -> Answer:
        """Return once everything that is kept is on stable storage.

        Raises:
            EncodingError: the request is not what it says it is.
            BusyError, UnavailableError: nothing is known to be kept; the same may be sent again.
        """
        translated, result = await self._collector.take_telemetry(export, self._sender(caller), self.bounds, caller)
        refused: dict[int, str] = {}
        for each in result.rejected:
            refused.setdefault(translated.origins[each.position], each.code)
        reasons = Counter(translated.rejected)
        reasons.update(refused.values())
        self.entries[export.signal] += translated.entries
        self.rejected.update(reasons)
        self.skipped.update(translated.skipped)
        return Answer(reasons.total(), _reasons(reasons))

    def _sender(self, caller: Identity) -> Sender:
        agents = caller.agents
        alone = next(iter(agents)) if len(agents) == 1 and "*" not in agents else caller.principal
        return Sender(caller.principal, alone, self._agent_attributes, self._unknown)

    def metrics(self) -> Mapping[str, float]:
        """Return counters by Prometheus name."""
        return {
            "sealgate_otlp_spans_total": float(self.entries["traces"]),
            "sealgate_otlp_log_records_total": float(self.entries["logs"]),
            "sealgate_otlp_rejected_total": float(self.rejected.total()),
            **{f"sealgate_otlp_skipped_{reason}_total": float(count) for reason, count in self.skipped.items()},
        }


def _reasons(reasons: Counter[str]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in sorted(reasons.items()))
