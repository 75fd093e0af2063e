"""Tasks that start and end. When one ends, nothing more is decided in it, and what was issued for it is taken back.

The end takes effect at once and is recorded then: taking away must not wait for a disk. If the record is lost, the task
is over for this run all the same, and expires by itself after the next start.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, Protocol

from sealgate.authority import answers
from sealgate.authority.drafts import Draft, Receipt
from sealgate.authority.permits import OpenDecision
from sealgate.authority.recorder import Recorder
from sealgate.authority.state import Memory
from sealgate.model.errors import InputError, NotPermittedError, SealgateError
from sealgate.model.evaluation import Identity
from sealgate.model.identifiers import require_name, require_uuid
from sealgate.model.lifecycle import Event, State, advance
from sealgate.model.records import Kind
from sealgate.model.tasks import (
    DEFAULT_TASK_S,
    MAX_GOAL_CHARS,
    MAX_TASK_S,
    OpenTask,
    TaskEnded,
    TaskRequest,
    TaskStarted,
)

_LOG = logging.getLogger(__name__)
_INTERNAL: Final = Identity(principal="sealgate", proof="internal")
MAX_OPEN_TASKS: Final = 10_000
_SEES_ALL: Final = frozenset({"operate", "read"})

Cause = Literal["ended", "expired", "parent_ended"]


class TaskListener(Protocol):
    """Takes back what it issued for a task, for example credentials."""

    async def revoke_task(self, task_id: str) -> None:
        """Take back everything of a task that is over. Called at least once for each; twice does no harm.

        What cannot be taken back now is this listener's to retry: the task is over either way.
        """


class Tasks:
    """The tasks that the authority knows. One event loop owns it."""

    def __init__(self, *, memory: Memory, recorder: Recorder, release: Callable[[str], None] = lambda _: None) -> None:
        self._memory = memory
        self._recorder = recorder
        self._release = release
        self.listeners: list[TaskListener] = []
        self._unfinished: set[str] = set()
        """Tasks that are over and whose permits are perhaps not all taken back."""

    async def start(self, request: TaskRequest, caller: Identity) -> TaskStarted:
        """Start a task, once that is on stable storage.

        Raises:
            InputError: malformed, the id was used already, the parent is not open, or too many are open.
            NotPermittedError: the caller may not speak for the agent.
            UnavailableError: it could not be recorded; nothing is started.
        """
        agent = require_name(request.agent, "agent")
        if not caller.speaks_for(agent):
            raise NotPermittedError(
                f"`{caller.principal}` may not speak for agent `{agent}`", code="subject-not-allowed"
            )
        draft = self._recorder.draft(Kind.TASK_STARTED)
        task = self._task(request, caller, draft)
        self._memory.tasks[task.task_id] = task  # before the record, so that a second one of this id is refused
        draft.fields = {
            "parent": task.parent,
            "delegation": task.delegation,
            "goal_claimed": request.goal,
            "expires_at": task.expires_at,
        }
        try:
            receipt = await self._record(draft, task, caller)
        except SealgateError:
            self._memory.tasks.pop(task.task_id, None)
            raise
        return TaskStarted(receipt.record_id, answers.reference(receipt), task.task_id, task.expires_at)

    def _task(self, request: TaskRequest, caller: Identity, draft: Draft) -> OpenTask:
        task_id = require_name(request.id, "task id") if request.id is not None else draft.record_id
        if task_id in self._memory.tasks or task_id in self._memory.ended_tasks:
            raise NotPermittedError("a task of this id was started before", code="task-exists", hint="use a new id")
        if len(self._memory.tasks) >= MAX_OPEN_TASKS:
            raise InputError(f"{MAX_OPEN_TASKS} tasks are open", hint="end those that are over")
        if len(request.goal) > MAX_GOAL_CHARS:
            raise InputError(f"the goal has {len(request.goal)} characters", hint=f"at most {MAX_GOAL_CHARS}")
        if request.delegation is not None:
            require_uuid(request.delegation, "delegation id")
        for delegator in request.on_behalf_of:
            require_name(delegator, "delegator")
        seconds = DEFAULT_TASK_S if request.expires_in_s is None else request.expires_in_s
        if not 1 <= seconds <= MAX_TASK_S:
            raise InputError(f"expires_in_s `{seconds}` is out of range", hint=f"1 to {MAX_TASK_S}")
        expires_ms = draft.unix_ms + seconds * 1000
        if request.parent is not None:
            parent = self._memory.tasks.get(request.parent)
            if parent is None or parent.expires_ms <= draft.unix_ms:
                raise NotPermittedError("the parent task is not open", code="task-unknown", hint="start it first")
            expires_ms = min(expires_ms, parent.expires_ms)
        return OpenTask(
            task_id=task_id,
            agent=request.agent,
            principal=caller.principal,
            parent=request.parent,
            delegation=request.delegation,
            on_behalf_of=request.on_behalf_of,
            expires_at=self._recorder.time.text(expires_ms),
            expires_ms=expires_ms,
        )

    async def end(self, task_id: str, reason: str, caller: Identity) -> TaskEnded:
        """End a task and all below it; what was issued for them is taken back before this returns.

        Raises:
            NotPermittedError: no such task is open, or the caller may not end it.
            UnavailableError: it is over but could not be recorded.
        """
        task = self._memory.tasks.get(task_id)
        if task is None or not (caller.speaks_for(task.agent) or "operate" in caller.roles):
            raise NotPermittedError("no such task is open", code="task-unknown", hint="list the open tasks")
        return await self._end(task, require_name(reason or "no reason given", "reason"), "ended", caller)

    async def _end(self, task: OpenTask, reason: str, cause: Cause, caller: Identity) -> TaskEnded:
        # Drafted and submitted with nothing awaited between: no decision can slip in behind the end.
        over = self._memory.end_task(task.task_id) or [task]
        self._unfinished |= {each.task_id for each in over}
        waits = []
        for each in over:
            draft = self._recorder.draft(Kind.TASK_ENDED)
            draft.fields = {"cause": cause if each is over[0] else "parent_ended", "reason": reason}
            waits.append(self._record(draft, each, caller))
        # Behind the records in the log, but not behind the disk: credentials end while it is still being written.
        recorded = asyncio.gather(*waits)
        revoked = await self.finish()
        receipts = await recorded
        return TaskEnded(
            receipts[0].record_id,
            answers.reference(receipts[0]),
            task.task_id,
            [each.task_id for each in over],
            revoked,
        )

    def all(self, caller: Identity) -> list[OpenTask]:
        """Return the open tasks that the caller may see, oldest first."""
        seen = bool(_SEES_ALL & caller.roles)
        return [task for task in self._memory.tasks.values() if seen or caller.speaks_for(task.agent)]

    def over(self, task_id: str | None, now_ms: int) -> bool:
        """Tell whether a task was ended or has expired. One that was never started here is not over."""
        if task_id is None:
            return False
        task = self._memory.tasks.get(task_id)
        return task.expires_ms <= now_ms if task is not None else task_id in self._memory.ended_tasks

    def resume(self) -> None:
        """After a start: finish what a crash interrupted."""
        self._unfinished |= {
            decision.task_id
            for decision in self._memory.decisions
            if decision.task_id is not None and decision.task_id in self._memory.ended_tasks
        }

    async def sweep(self) -> None:
        """End what has expired, and take back what is left of tasks that are over."""
        if self._recorder.failure is not None:
            return
        if self._memory.tasks:
            now = self._recorder.time.now_ms()
            for task in [task for task in self._memory.tasks.values() if task.expires_ms <= now]:
                if task.task_id in self._memory.tasks:  # not ended with one above it
                    await self._end(task, "its time is over", "expired", _INTERNAL)
        if self._unfinished:
            await self.finish()

    async def finish(self) -> int:
        """Take back the permits of tasks that are over, and have listeners do so; return how many permits it were."""
        over, self._unfinished = self._unfinished, set()
        unused = [
            decision
            for decision in self._memory.decisions
            if decision.task_id in over and decision.state is State.PERMITTED
        ]
        for decision in unused:
            self._memory.decisions.put(decision, advance(decision.state, Event.REVOKE))
        done = await asyncio.gather(*(self._revoke(decision) for decision in unused), return_exceptions=True)
        for decision, result in zip(unused, done, strict=True):
            if isinstance(result, BaseException):
                # Still refused: its task is over. Recorded at the next turn.
                self._memory.decisions.put(decision, State.PERMITTED)
                self._unfinished.add(decision.task_id or "")
        for task_id in over:
            for listener in self.listeners:
                try:
                    await listener.revoke_task(task_id)
                except Exception:  # noqa: BLE001  # one that fails must not keep the others from taking back theirs
                    _LOG.exception("what was issued for a task that is over may still be valid")
        return len(unused)

    async def _revoke(self, decision: OpenDecision) -> None:
        draft = self._recorder.draft(Kind.OUTCOME)
        draft.fields = {
            "decision_id": decision.record_id,
            "status": "cancelled",
            "cause": "task_ended",
            "duration_ms": None,
            "output_digest": None,
            "output_size_bytes": None,
            "error": None,
            "late": False,
        }
        trace: dict[str, Any] | None = None
        if decision.trace_id is not None:
            trace = {"trace_id": decision.trace_id, "span_id": decision.span_id, "parent_span_id": None}
        receipt = await self._recorder.record(
            draft, agent=answers.agent(decision.agent, _INTERNAL, []), trace=trace, task_id=decision.task_id
        )
        self._memory.cursor = max(self._memory.cursor, receipt.index + 1)
        self._memory.decisions.close(decision.record_id)
        self._release(decision.record_id)

    def _record(self, draft: Draft, task: OpenTask, caller: Identity) -> Awaitable[Receipt]:
        """Append now; the result can be awaited."""
        agent = answers.agent(task.agent, caller, task.on_behalf_of)
        return self._recorded(self._recorder.record(draft, agent=agent, task_id=task.task_id))

    async def _recorded(self, appended: Awaitable[Receipt]) -> Receipt:
        receipt = await appended
        self._memory.cursor = max(self._memory.cursor, receipt.index + 1)
        return receipt
