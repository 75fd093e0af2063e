"""The evidence service's life: a thread follows the journal into the store while the desk answers."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from sealgate.evidence.answers import Status
from sealgate.model.errors import SealgateError

from .desk import Desk
from .exports import Exports

_LOG = logging.getLogger(__name__)
_RETRY_S: Final = 2.0


class Following(Protocol):
    """What keeps the store up with the journal (``evidence.consumer.Consumer``)."""

    def run(self, stop: threading.Event, *, failed: Callable[[Exception], float]) -> None:
        """Follow until ``stop`` is set."""

    def status(self) -> Status:
        """Tell how far the store follows."""


class EvidenceService:
    """Desk, exports and the following thread together. Owned by one event loop."""

    def __init__(self, *, desk: Desk, exports: Exports, following: Following, close: Callable[[], None]) -> None:
        self.desk = desk
        self.exports = exports
        self._following = following
        self._close = close
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="following", daemon=True)
        self._failure = ""

    async def start(self) -> None:
        """Begin to follow the journal; questions are answered at once, from what is there."""
        self._thread.start()

    def _follow(self) -> None:
        self._following.run(self._stop, failed=self._failed)

    def _failed(self, error: Exception) -> float:
        text = error.message if isinstance(error, SealgateError) else f"{type(error).__name__}"
        if text != self._failure:
            _LOG.error("the store does not follow: %s", text, exc_info=not isinstance(error, SealgateError))
        self._failure = text
        return _RETRY_S

    async def readiness(self) -> dict[str, Any]:
        """Return whether reads can be answered and recorded, and what is wrong where they cannot."""
        authority = await self.desk.log.ready()
        store = "ok"
        try:
            if self._following.status().behind_records == 0:
                self._failure = ""
        except SealgateError as error:
            store = error.message
        checks = {"authority": authority, "store": store, "following": self._failure or "ok"}
        return {"ready": authority == "ok" and store == "ok", "checks": checks}

    def metrics(self) -> Mapping[str, float]:
        """Return counters and gauges by Prometheus name."""
        figures = {f"sealgate_evidence_reads_{name}_total": float(n) for name, n in self.desk.counts.items()}
        lane = self.desk.lane
        figures |= {
            "sealgate_evidence_questions_under_way": float(lane.under_way),
            "sealgate_evidence_questions_overloaded_total": float(lane.refused),
            "sealgate_evidence_questions_too_long_total": float(lane.too_long),
        }
        try:
            status = self._following.status()
        except SealgateError:
            return figures
        return figures | {
            "sealgate_evidence_journal_size": float(status.journal_size),
            "sealgate_evidence_projected": float(status.projected),
            "sealgate_evidence_behind_records": float(status.behind_records),
            "sealgate_evidence_behind_seconds": status.behind_seconds,
            "sealgate_evidence_rows_hot": float(status.rows_hot),
            "sealgate_evidence_rows_warm": float(status.rows_warm),
        }

    async def stop(self) -> None:
        """Start no more questions, stop following, throw exports away, close the store."""
        self._stop.set()
        self.desk.close()
        self.exports.close()
        await self.desk.log.close()
        self._thread.join(10.0)
        self._close()
