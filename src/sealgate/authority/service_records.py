"""Takes records of this installation's other services: accesses, erasures, holds, expiry, roles.

A service has no signing key; what it did becomes evidence here. Unlike what an enforcement point captures these are
not claims of an agent: only callers with the role ``service`` may send them, and every member is checked.
"""

import asyncio
from typing import Any, Final

import msgspec

from sealgate.authority import answers
from sealgate.authority.drafts import Receipt
from sealgate.authority.idempotency import Remembered
from sealgate.authority.reader import Reader
from sealgate.authority.recorder import Recorder
from sealgate.authority.state import Memory
from sealgate.model.errors import InputError, NotPermittedError, SealgateError
from sealgate.model.evaluation import CaptureRequest, Identity, Recorded
from sealgate.model.identifiers import require_name
from sealgate.model.records import SERVICE_MEMBERS, Kind

ROLE: Final = "service"
_MAX_MESSAGE_CHARS: Final = 200


class ServiceRecords:
    """Writes what services did. One event loop owns it."""

    def __init__(self, *, memory: Memory, recorder: Recorder, reader: Reader) -> None:
        self._memory = memory
        self._recorder = recorder
        self._reader = reader

    async def record(self, request: CaptureRequest, caller: Identity) -> Recorded:
        """Record; the answer comes when it is on stable storage. Repeating a request id gives the first answer.

        Raises:
            InputError: a member is missing, unknown or of the wrong type; the request names an agent.
            NotPermittedError: the caller is no service.
            UnavailableError: it could not be recorded; send it again.
        """
        if ROLE not in caller.roles:
            raise NotPermittedError(
                f"`{caller.principal}` may not write records of kind `{request.kind}`",
                hint=f"only this installation's services have the role `{ROLE}`",
            )
        if request.agent is not None:
            raise InputError("a service records its own acts", hint="leave out `agent`")
        members = _members(request)
        trace = answers.trace(request.traceparent, request.parent_span_id)
        if request.task_id is not None:
            require_name(request.task_id, "task id")
        key = None
        if request.request_id is not None:
            key = Remembered.key(caller.principal, require_name(request.request_id, "request id"))
            known = self._memory.remembered.find(key)
            if known is not None:
                return await self._again(known, request.kind, members)
        draft = self._recorder.draft(Kind(request.kind))
        draft.fields = members
        future = self._recorder.record(
            draft,
            agent=answers.agent(caller.principal, caller, []),
            trace=trace,
            task_id=request.task_id,
            request_id=request.request_id,
        )
        if key is not None:
            self._memory.remembered.remember(key, future, draft.unix_ms)
        try:
            receipt = await future
        except SealgateError:
            if key is not None:
                self._memory.remembered.forget(key)
            raise
        if key is not None:
            self._memory.remembered.remember(key, receipt.index, draft.unix_ms)
        self._memory.cursor = max(self._memory.cursor, receipt.index + 1)
        return Recorded(receipt.record_id, answers.reference(receipt))

    async def _again(self, known: "int | asyncio.Future[Receipt]", kind: str, members: dict[str, Any]) -> Recorded:
        index = known if isinstance(known, int) else (await asyncio.shield(known)).index
        stored = self._reader.read(index)
        body: dict[str, Any] | None = stored.content()
        if body is None or body["kind"] != kind or any(body.get(name) != value for name, value in members.items()):
            raise NotPermittedError(
                "this request id was used for another request",
                code="request-id-reused",
                hint="use a new id for each request",
            )
        return Recorded(body["record_id"], answers.reference(Receipt(body["record_id"], index, stored.statement, b"")))


def _members(request: CaptureRequest) -> dict[str, Any]:
    try:
        checked = msgspec.convert(request.data, SERVICE_MEMBERS[request.kind])
    except msgspec.ValidationError as error:
        message = str(error)[:_MAX_MESSAGE_CHARS]
        hint = "docs/reference/records.md has its members"
        raise InputError(f"this is no `{request.kind}`: {message}", hint=hint) from error
    members: dict[str, Any] = msgspec.to_builtins(checked)
    return members
