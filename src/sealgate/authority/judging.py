"""What is answered to a question: steps 4 to 7 of the path of a decision (``gate``).

``judge`` asks the policies, which may wait for another process. ``rule`` comes right before the append and waits for
nothing: what may have changed meanwhile (pauses, tasks, delegations, limits, approvals) is looked at there.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from sealgate.authority.admission import Asked
from sealgate.authority.approving import Approving
from sealgate.authority.delegations import Delegations
from sealgate.authority.drafts import Draft
from sealgate.authority.rulebook import Rulebook, Ruling
from sealgate.authority.state import Memory
from sealgate.authority.tasks import Tasks
from sealgate.authority.timekeeping import Timekeeper
from sealgate.model.decisions import Outcome, Reason
from sealgate.model.errors import UnavailableError
from sealgate.policy.decision_point import Prepared
from sealgate.ports.judging import Judgement, Judges

Rules = tuple[Rulebook, Judgement]
"""The policy set that was in force, and what it says."""

_NO_RULES: Final = Ruling(Outcome.SILENCE, Reason.NO_POLICY, "no policy set is published")


class Judging:
    """Finds the ruling of a question."""

    def __init__(
        self,
        *,
        memory: Memory,
        time: Timekeeper,
        rulebook: Callable[[], Rulebook | None],
        judges: Judges | None,
        tasks: Tasks,
        delegations: Delegations,
        approving: Approving | None,
    ) -> None:
        self._memory = memory
        self._time = time
        self._rulebook = rulebook
        self._judges = judges
        self._tasks = tasks
        self._delegations = delegations
        self._approving = approving
        self.remembered = 0
        """Decisions that needed no evaluation: their question was judged before, or no policy could apply."""

    async def judge(self, asked: Asked, under_way: int, deadline: float) -> Rules | None:
        """Return the policy set in force and what it says: as known, elsewhere when that pays, else judged here."""
        rulebook = self._rulebook()
        if rulebook is None or asked.request.subject.id in self._memory.paused:
            return None
        prepared = self._recall(rulebook, asked)
        if isinstance(prepared, Judgement):
            self.remembered += 1
            return rulebook, prepared
        if asked.kept is None and self._judges is not None and self._judges.busy(rulebook.version, under_way):
            elsewhere = self._judges.ask(rulebook.version, rulebook.matter(asked.request, asked.arguments))
            if elsewhere is not None:
                judgement = await elsewhere
                current = self._rulebook() or rulebook
                if current is not rulebook:  # the policy set changed meanwhile
                    rulebook, prepared = current, self._recall(current, asked)
                    if isinstance(prepared, Judgement):
                        return rulebook, prepared
                elif judgement is not None:
                    return rulebook, rulebook.remember(prepared, judgement)
        return rulebook, rulebook.judge(prepared, lambda: deadline - self._time.monotonic_s())

    def _recall(self, rulebook: Rulebook, asked: Asked) -> Judgement | Prepared:
        request = asked.request
        reads = rulebook.kept_reads(request)
        asked.kept = None
        if reads is not None:
            task, time = request.context.task, self._time
            try:
                now_ms = time.now_ms()
            except UnavailableError:  # the draft meets the same and says so
                now_ms = time.last_ms
            asked.kept = self._memory.sessions.kept(
                request.subject.id, task.id if task else None, reads, request.context.input, now_ms
            )
        return rulebook.recall(request, asked.kept)

    def rule(self, asked: Asked, draft: Draft, rules: Rules | None) -> Ruling:
        """Return the ruling; what it takes from quotas and approvals is reserved under the draft's id."""
        agent = asked.request.subject.id
        paused = self._memory.paused.get(agent)
        if paused is not None:
            return Ruling(Outcome.DENY, Reason.AGENT_PAUSED, f"agent `{agent}` is paused: {paused}")
        task = asked.request.context.task
        if task is not None and self._tasks.over(task.id, draft.unix_ms):
            return Ruling(Outcome.DENY, Reason.TASK_ENDED, f"task `{task.id}` is over")
        if rules is None:
            return _NO_RULES
        rulebook, judgement = rules
        duties: list[dict[str, Any]] = []
        if asked.request.context.on_behalf_of or asked.chain:
            judged = self._delegations.judge(asked.request, asked.chain, rulebook, draft.unix_ms)
            if isinstance(judged, Ruling):
                return judged
            duties = judged
        ruling = rulebook.rule(judgement, asked.request, draft.record_id, draft.unix_ms)
        if ruling.reason is Reason.APPROVAL_REQUIRED and self._approving is not None:
            ruling = self._approving.rule(asked, draft, rulebook, judgement, ruling)
        if ruling.outcome is not Outcome.PERMIT or not duties:
            return ruling
        more = [duty for duty in duties if duty not in ruling.obligations]
        return msgspec.structs.replace(ruling, obligations=[*ruling.obligations, *more])
