"""A judge in a process of its own, asked in batches (ports.judging.Judges).

Asking costs the event loop a tenth of judging, but a round trip: worth it only while many decisions are under way, so
``ask`` declines until ``busy`` are open. All questions of one turn of the loop travel in one frame.

If the judge dies or is late, its open questions are done with None and the authority judges by itself; a new judge is
started once, after that none: an engine that dies twice on a policy set had better be looked at.
"""

import asyncio
from typing import Final

from sealgate.adapters.children.lateness import Watch
from sealgate.adapters.children.process import Child
from sealgate.adapters.judging import messages
from sealgate.adapters.judging.messages import Ask, Load, Loaded, Question
from sealgate.model.decisions import Outcome, Reason
from sealgate.ports.judging import Judgement, Matter

_PATIENCE_S: Final = 0.1
"""How long a question may be under way before the authority judges by itself; well below a decision's deadline."""


class ProcessJudge:
    """One judge. ``busy``: how many decisions must be under way before it is asked. Owned by one event loop."""

    def __init__(self, *, busy: int = 8) -> None:
        self._busy = busy
        self._child = Child("sealgate.adapters.judging.worker", "policy judge", self)
        self._watch = Watch(_PATIENCE_S, self._overdue)
        self._wanted: Load | None = None
        self._loaded = ""
        self._number = 0
        self._open: dict[int, asyncio.Future[Judgement | None]] = {}
        self._batch: list[Question] = []

    def load(self, version: str, bundle: bytes) -> None:
        """Make a policy set known; starts the judge when there is none."""
        self._wanted = Load(version, bundle)
        self._loaded = ""
        if self._child.running:
            self._child.send(messages.encode(self._wanted))
        else:
            self._child.start()

    def busy(self, version: str, under_way: int) -> bool:
        """Tell whether the policy set is loaded there and enough decisions are under way."""
        return under_way >= self._busy and self._loaded == version and self._child.running

    def ask(self, version: str, matter: Matter) -> "asyncio.Future[Judgement | None] | None":
        """Return a future of the judgement, or None where the caller should judge by itself."""
        if self._loaded != version or not self._child.running:
            return None
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Judgement | None] = loop.create_future()
        self._number += 1
        self._open[self._number] = future
        if not self._batch:
            loop.call_soon(self._flush, version)
        self._batch.append(
            Question(self._number, matter.principal, matter.action, matter.resource, matter.arguments, matter.facts)
        )
        self._watch.asked(self._number)
        return future

    def _flush(self, version: str) -> None:
        questions, self._batch = self._batch, []
        self._child.send(messages.encode(Ask(version, questions)))  # where nobody runs ``lost`` has answered them

    def _overdue(self, newest: int) -> bool:
        for number in [number for number in self._open if number <= newest]:
            self._done(number, None)
        return bool(self._open)

    def _done(self, number: int, judgement: Judgement | None) -> None:
        future = self._open.pop(number, None)
        if future is not None and not future.done():
            future.set_result(judgement)

    def ready(self) -> None:
        """The judge runs: let it load the policy set in force."""
        if self._wanted is not None:
            self._child.send(messages.encode(self._wanted))

    def received(self, payload: bytes) -> None:
        """Take in what the judge says."""
        message = messages.decode_from_judge(payload)
        if isinstance(message, Loaded):
            if message.ok and self._wanted is not None and message.version == self._wanted.version:
                self._loaded = message.version
            return
        for verdict in message.verdicts:
            judgement = Judgement(
                Outcome(verdict.outcome),
                Reason(verdict.reason),
                verdict.message,
                verdict.policies,
                verdict.obligations,
            )
            self._done(verdict.number, judgement)
        for number in message.unknown:
            self._done(number, None)

    def lost(self) -> None:
        """The judge is gone: what is open is judged by who asked."""
        self._loaded = ""
        for number in list(self._open):
            self._done(number, None)

    def close(self) -> None:
        """End the judge. It holds nothing that would have to be saved."""
        self._child.close()
