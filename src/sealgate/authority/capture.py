"""Captures what enforcement points tell besides decisions: sessions, inputs, reasoning, events."""

import asyncio
from typing import Any

from sealgate.authority import answers
from sealgate.authority.drafts import Receipt
from sealgate.authority.idempotency import Remembered
from sealgate.authority.reader import Reader
from sealgate.authority.recorder import Recorder
from sealgate.authority.service_records import ServiceRecords
from sealgate.authority.sessions import OBSERVATION
from sealgate.authority.state import Memory
from sealgate.encoding import canonical
from sealgate.model.errors import InputError, NotPermittedError, SealgateError
from sealgate.model.evaluation import CaptureRequest, Identity, Recorded
from sealgate.model.identifiers import require_name
from sealgate.model.limits import MAX_BODY_BYTES
from sealgate.model.records import CAPTURED_KINDS, SERVICE_KINDS, Kind

_ROOM_FOR_COMMON_BYTES = 4096


class Capture:
    """Writes captured records. What they say is a claim of the enforcement point and never an input to policy."""

    def __init__(self, *, memory: Memory, recorder: Recorder, reader: Reader) -> None:
        self._memory = memory
        self._recorder = recorder
        self._reader = reader
        self._services = ServiceRecords(memory=memory, recorder=recorder, reader=reader)

    async def capture(self, request: CaptureRequest, caller: Identity) -> Recorded:
        """Record; the answer comes when it is on stable storage. Repeating a request id gives the first answer.

        Raises:
            InputError: a kind that only the authority writes, a malformed name or trace, data too long.
            NotPermittedError: the caller may not speak for the agent.
            UnavailableError: it could not be recorded; send it again.
        """
        if request.kind in SERVICE_KINDS:
            return await self._services.record(request, caller)
        kind = _kind(request.kind)
        if "enforce" not in caller.roles:
            raise NotPermittedError(f"`{caller.principal}` may not capture", hint="this needs the role `enforce`")
        agent = _agent(request.agent, caller)
        if request.task_id is not None:
            require_name(request.task_id, "task id")
        if OBSERVATION in request.data:
            raise InputError("`observation` is the authority's own", hint="send it to /v1/tasks/{id}/observations")
        trace = answers.trace(request.traceparent, request.parent_span_id)
        data = canonical.encode_arguments(request.data, max_bytes=MAX_BODY_BYTES - _ROOM_FOR_COMMON_BYTES).decode()
        key = None
        if request.request_id is not None:
            key = Remembered.key(agent, require_name(request.request_id, "request id"))
            known = self._memory.remembered.find(key)
            if known is not None:
                return await self._again(known, kind, data)
        draft = self._recorder.draft(kind)
        draft.fields = {"data_json": data, "claimed": True}
        future = self._recorder.record(
            draft,
            agent=answers.agent(agent, caller, []),
            trace=trace,
            task_id=request.task_id,
            request_id=request.request_id,
        )
        return await self._finish(future, key, draft.unix_ms)

    async def _finish(self, future: "asyncio.Future[Receipt]", key: bytes | None, now_ms: int) -> Recorded:
        if key is not None:
            self._memory.remembered.remember(key, future, now_ms)
        try:
            receipt = await future
        except SealgateError:
            if key is not None:
                self._memory.remembered.forget(key)
            raise
        if key is not None:
            self._memory.remembered.remember(key, receipt.index, now_ms)
        self._memory.cursor = max(self._memory.cursor, receipt.index + 1)
        return Recorded(receipt.record_id, answers.reference(receipt))

    async def _again(self, known: "int | asyncio.Future[Receipt]", kind: Kind, data: str) -> Recorded:
        index = known if isinstance(known, int) else (await asyncio.shield(known)).index
        stored = self._reader.read(index)
        body: dict[str, Any] | None = stored.content()
        if body is None or body["kind"] != kind or body.get("data_json") != data:
            raise NotPermittedError(
                "this request id was used for another request",
                code="request-id-reused",
                hint="use a new id for each request",
            )
        return Recorded(body["record_id"], answers.reference(Receipt(body["record_id"], index, stored.statement, b"")))


def _kind(text: str) -> Kind:
    if text not in CAPTURED_KINDS:
        raise InputError(f"kind `{text[:64]}` cannot be captured", hint=f"one of {', '.join(sorted(CAPTURED_KINDS))}")
    return Kind(text)


def _agent(named: str | None, caller: Identity) -> str:
    if named is None:
        if len(caller.agents) != 1 or "*" in caller.agents:
            raise InputError("the record names no agent", hint="send `agent`: this caller speaks for several")
        return next(iter(caller.agents))
    if not caller.speaks_for(require_name(named, "agent")):
        raise NotPermittedError(f"`{caller.principal}` may not speak for agent `{named}`", code="subject-not-allowed")
    return named
