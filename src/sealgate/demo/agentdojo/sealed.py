"""The real gate: every call through ``sealgate.sdk`` to a running authority."""

import inspect
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sealgate.demo.agentdojo.gates import Action, Answer, Proposal
from sealgate.model.decisions import Outcome
from sealgate.sdk import ActionNotRun, Client, Denied, Silence


class ToolError(Exception):
    """The tool itself reported a failure; its outcome is recorded as ``failed``."""


class SealedGate:
    """Guards each call as an application would: ``@guard`` around the tool, the action inside of it."""

    def __init__(self, socket: Path, agent: str, spool: Path) -> None:
        self._client = Client(agent=agent, socket=socket, spool=spool)
        self._task: Any = None
        self._task_id = ""

    def call(self, proposal: Proposal, action: Action) -> Answer:
        """Ask; run ``action`` only with a permit for exactly these arguments; report its outcome."""
        self._enter(proposal)
        ran = False

        def body(**arguments: Any) -> None:
            nonlocal ran
            ran = True
            if failure := action(arguments):
                raise ToolError(failure)

        # A tool server's functions are known by their definitions only, so the guard is told the parameters' names.
        body.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # read by inspect.signature
            [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in proposal.arguments]
        )
        guarded = self._client.guard(tool=proposal.tool, server=proposal.server, facts={"task": dict(proposal.facts)})(
            body
        )
        error = None
        try:
            guarded(**proposal.arguments)
        except (Denied, Silence) as refusal:
            decision = refusal.decision
            return Answer(decision.outcome, decision.reason, decision.policies, decision.message, decision.record_id)
        except ActionNotRun as failure:  # no readable decision: silence means no
            return Answer(Outcome.SILENCE, "unreachable", message=failure.message)
        except ToolError as failure:
            error = str(failure)
        return Answer(Outcome.PERMIT, "policy", ran=ran, error=error)

    def _enter(self, proposal: Proposal) -> None:
        """Open the task's scope when another task begins, so that its calls share one trace."""
        if proposal.task_id != self._task_id:
            self._leave()
            self._task_id = proposal.task_id
            self._task = self._client.task(proposal.goal, id=proposal.task_id)
            self._task.__enter__()

    def _leave(self) -> None:
        if self._task is not None:
            self._task.__exit__(None, None, None)
            self._task = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        self._client.close()
