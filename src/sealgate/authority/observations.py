"""Takes in what entered a task: ``POST /v1/tasks/{id}/observations``.

Content is fingerprinted and let go; the record says from where, how much and which class of data, so that what a
policy relied on stays evidence. The facts hold from the moment the request came, before the record is durable: if it
never becomes durable, the task knows more than was recorded, never less.
"""

from typing import Any, Final

from sealgate.authority import answers
from sealgate.authority.recorder import Recorder
from sealgate.authority.sessions import OBSERVATION, Observation
from sealgate.authority.state import Memory
from sealgate.encoding import canonical
from sealgate.model.errors import InputError, NotPermittedError
from sealgate.model.evaluation import Identity, ObservationRequest, Recorded
from sealgate.model.identifiers import require_name
from sealgate.model.records import Kind

_KINDS: Final = {"person": Kind.INPUT_RECEIVED, "trusted": Kind.CONTEXT_RETRIEVED, "untrusted": Kind.CONTEXT_RETRIEVED}
MAX_VALUES: Final = 10_000


class Observations:
    """Feeds session facts and records that they were fed."""

    def __init__(self, *, memory: Memory, recorder: Recorder) -> None:
        self._memory = memory
        self._recorder = recorder

    async def observe(self, task_id: str, request: ObservationRequest, caller: Identity) -> Recorded:
        """Take in one observation; the answer comes when its record is on stable storage.

        Sending the same again changes nothing but the count of records.

        Raises:
            InputError: a malformed name, no content, or too many values.
            NotPermittedError: the caller may not speak for the agent.
            UnavailableError: it could not be recorded; send it again.
        """
        agent = require_name(request.agent, "agent")
        require_name(task_id, "task id")
        if not caller.speaks_for(agent):
            raise NotPermittedError(
                f"`{caller.principal}` may not speak for agent `{agent}`", code="subject-not-allowed"
            )
        for name, text in (("source", request.source), ("classification", request.classification)):
            if text is not None:
                require_name(text, name)
        if len(request.values) > MAX_VALUES:
            raise InputError(f"{len(request.values)} values in one observation", hint=f"at most {MAX_VALUES}")
        draft = self._recorder.draft(_KINDS[request.origin])
        facts = self._memory.sessions.of(agent, task_id, draft.unix_ms)
        asked = facts.content(request.origin, request.values, request.text)
        facts.observed(
            request.origin,
            draft.unix_ms,
            source=request.source,
            classification=request.classification,
            asked=asked,
        )
        told = Observation(
            request.origin,
            request.source,
            request.classification,
            len(request.values),
            len(request.text),
            list(asked),
        )
        data: Any = {OBSERVATION: {name: getattr(told, name) for name in told.__struct_fields__}}
        draft.fields = {"data_json": canonical.encode_arguments(data).decode(), "claimed": True}
        receipt = await self._recorder.record(
            draft,
            agent=answers.agent(agent, caller, []),
            trace=answers.trace(request.traceparent, None),
            task_id=task_id,
            request_id=None,
        )
        self._memory.cursor = max(self._memory.cursor, receipt.index + 1)
        return Recorded(receipt.record_id, answers.reference(receipt))
