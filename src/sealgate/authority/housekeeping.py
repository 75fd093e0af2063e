"""What recurs while an authority runs: permits expire, the journal heals, snapshots are saved."""

import asyncio
import logging
from typing import Final

from sealgate.authority.approvals import Approvals
from sealgate.authority.credentials import Broker
from sealgate.authority.erasure import Erasures
from sealgate.authority.execution import Execution
from sealgate.authority.recorder import Recorder
from sealgate.authority.snapshots import Snapshots
from sealgate.authority.tasks import Tasks
from sealgate.model.errors import SealgateError, UnavailableError

_LOG = logging.getLogger(__name__)
_SWEEP_S: Final = 0.2
_SNAPSHOT_S: Final = 10.0
_SNAPSHOT_SHARE: Final = 200
"""A snapshot that holds up the loop for some time is followed by so many times this time without another."""

_HEAL_S: Final = 1.0
_REMIND_S: Final = 10.0
_NO_FIGURES: Final = str.maketrans("", "", "0123456789")


class _Reminder:
    """Says when a trouble that goes on is worth a line: at first, when more than its figures changed, now and then."""

    def __init__(self) -> None:
        self._told = ""
        self._again = 0.0

    def due(self, error: SealgateError, now: float) -> bool:
        """Tell whether to write ``error`` into the log at this moment of the loop's clock."""
        text = str(error).translate(_NO_FIGURES)
        if text == self._told and now < self._again:
            return False
        self._told, self._again = text, now + _REMIND_S
        return True

    def over(self) -> None:
        """Forget it: the same trouble is a new one when it comes again."""
        self._told = ""


class Housekeeping:
    """Sweeps, heals, saves."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        execution: Execution,
        tasks: Tasks,
        approvals: Approvals,
        broker: Broker,
        erasures: Erasures,
        snapshots: Snapshots,
    ) -> None:
        self._recorder = recorder
        self._execution = execution
        self._tasks = tasks
        self._approvals = approvals
        self._broker = broker
        self._erasures = erasures
        self._snapshots = snapshots
        self._sweeping, self._healing = _Reminder(), _Reminder()

    async def run(self) -> None:
        """Sweep often, heal and save snapshots now and then; an error here is logged and never ends the task."""
        loop = asyncio.get_running_loop()
        next_heal = next_snapshot = loop.time()
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = loop.time()
            try:
                if now >= next_heal:
                    next_heal = now + _HEAL_S
                    await self._heal(now)
                while await self._execution.sweep():
                    pass
                await self._tasks.sweep()
                while await self._approvals.sweep():
                    pass
                self._broker.sweep()
                if now >= next_snapshot:
                    began = loop.time()
                    self._snapshots.begin()
                    next_snapshot = now + max(_SNAPSHOT_S, (loop.time() - began) * _SNAPSHOT_SHARE)
                self._sweeping.over()
            except SealgateError as error:
                if self._sweeping.due(error, now):
                    _LOG.warning("housekeeping: %s", error)
            except Exception:  # noqa: BLE001  # permits must go on expiring whatever one turn ran into
                _LOG.exception("housekeeping failed")

    async def finish_erasures(self) -> None:
        """Finish what a crash interrupted; what cannot be done now is tried again with the next healing."""
        try:
            await self._erasures.resume()
        except UnavailableError as error:
            _LOG.error("an erasure cannot be finished now: %s", error)  # the reason says it all

    async def _heal(self, now: float) -> None:
        await self.finish_erasures()
        recorder = self._recorder
        if recorder.failure is None and recorder.missed is None:
            self._healing.over()
            return
        try:
            recorded = recorder.heal()
        except UnavailableError as error:
            if self._healing.due(error, now):
                _LOG.error("decisions are SILENCE: %s", error)  # the reason says it all
            return
        if recorded is not None:
            receipt = await recorded
            _LOG.warning("recording again; the gap is record %d", receipt.index)
