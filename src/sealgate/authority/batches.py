"""Records batches of captured and observed items: one body, one signature, one sealed record for up to 512 items.

The items are opaque texts here; the collector has validated and redacted them. What costs time for a large batch
(parsing the request, writing the items into the body, hashing and compressing them) happens in a thread, because the
gate decides on this event loop. The members of a body that come before ``items`` in canonical order say what was sent,
those behind it when and where it was recorded: so the loop only adds the short end, in the order of the log.

A batch counts once for its principal: a repetition gets the first answer, also after a restart.
"""

import asyncio
import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import orjson

from sealgate.authority import answers
from sealgate.authority.drafts import Receipt
from sealgate.authority.idempotency import RememberedBatches
from sealgate.authority.reader import Reader
from sealgate.authority.recorder import Recorder
from sealgate.authority.state import Memory
from sealgate.encoding import canonical, sealed_body
from sealgate.model.batches import MAX_BATCHES_BYTES, BatchesRecorded, BatchesRequest, BatchRecorded, BatchRequest
from sealgate.model.errors import EncodingError, InputError, NotPermittedError, SealgateError, UnavailableError
from sealgate.model.evaluation import Identity, ReceiptReference
from sealgate.model.identifiers import require_name
from sealgate.model.limits import MAX_BATCH_BODY_BYTES, MAX_ITEM_BYTES
from sealgate.model.records import Kind

_ROOM_FOR_END_BYTES: Final = 4096
_MAX_REQUESTS: Final = 16
"""Requests in preparation at once: bounds memory to so many times MAX_BATCHES_BYTES."""


@dataclass(slots=True)
class Prepared:
    """A batch whose body is hashed and compressed up to the end of its items."""

    request: BatchRequest
    key: bytes
    digest: Any
    compressor: Any
    compressed: list[bytes]

    def finish(self, rest: dict[str, Any]) -> tuple[bytes, bytes]:
        """Return commitment and compressed body, once the members behind ``items`` are known."""
        end = b"," + canonical.encode_own(rest)[1:]
        self.digest.update(end)
        self.compressed += (self.compressor.compress(end), self.compressor.flush())
        return self.digest.digest(), b"".join(self.compressed)


class Batches:
    """Takes batches from collectors. All methods but ``prepare`` run on the event loop."""

    def __init__(self, *, memory: Memory, recorder: Recorder, reader: Reader) -> None:
        self._memory = memory
        self._recorder = recorder
        self._reader = reader
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._requests = 0
        self.items = 0
        self.batches = 0

    async def record(self, body: bytes, caller: Identity) -> BatchesRecorded:
        """Record all batches of a request; the answer comes when the last of them is on stable storage.

        Raises:
            EncodingError, InputError: the request cannot be understood; nothing was recorded.
            NotPermittedError: the caller may not speak for an agent in it, or a batch id was used for another batch.
            UnavailableError: not all could be recorded; send it again: what was recorded counts once.
        """
        if self._requests >= _MAX_REQUESTS:
            raise UnavailableError("too many batches wait for their record", hint="send the batch again shortly")
        self._requests += 1
        try:
            place = self._recorder.place
            prepared = await asyncio.get_running_loop().run_in_executor(
                self._thread, prepare, body, caller, place.region, place.environment
            )
            waiting = [self._begin(batch) for batch in prepared]  # all in one go: they share a sync
            done = await asyncio.gather(*waiting, return_exceptions=True)
        finally:
            self._requests -= 1
        recorded = []
        for batch, result in zip(prepared, done, strict=True):
            if isinstance(result, BaseException):
                raise result
            recorded.append(BatchRecorded(batch.request.batch_id, result.record_id, result))
        return BatchesRecorded(recorded)

    def _begin(self, batch: Prepared) -> "asyncio.Future[ReceiptReference]":
        known = self._memory.batches.find(batch.key)
        if known is not None:
            return asyncio.ensure_future(self._again(known, batch.request))
        request = batch.request
        draft = self._recorder.draft(Kind.RECORDS_CAPTURED)
        draft.fields = {
            "principal": request.principal,
            "proof": request.proof,
            "retention_class": request.retention_class,
            "subject": request.subject,
        }
        if request.region is not None:
            draft.fields["region"] = request.region
        scope = f"default/{request.subject or '-'}/{request.retention_class}"
        future = self._recorder.record_batch(draft, batch.finish, agent=request.agent, scope=scope)
        self._memory.batches.begin(batch.key, future)
        return asyncio.ensure_future(self._finish(future, batch))

    async def _finish(self, future: "asyncio.Future[Receipt]", batch: Prepared) -> ReceiptReference:
        try:
            receipt = await asyncio.shield(future)
        except SealgateError:
            self._memory.batches.forget(batch.key)
            raise
        self._memory.batches.remember(batch.key, receipt.index)
        self._memory.cursor = max(self._memory.cursor, receipt.index + 1)
        self.batches += 1
        self.items += len(batch.request.items)
        return answers.reference(receipt)

    async def _again(self, known: "int | asyncio.Future[Receipt]", request: BatchRequest) -> ReceiptReference:
        index = known if isinstance(known, int) else (await asyncio.shield(known)).index
        stored = await asyncio.get_running_loop().run_in_executor(self._thread, self._reader.read, index)
        body = await asyncio.get_running_loop().run_in_executor(self._thread, stored.content)
        if body is None:  # its key was destroyed meanwhile; the record is there, and that is what is asked
            return ReceiptReference("signed", "", index, base64.b64encode(stored.statement).decode())
        if body["count"] != len(request.items):
            raise NotPermittedError(
                f"batch id `{request.batch_id[:80]}` was used for another batch",
                code="request-id-reused",
                hint="give each batch an id of its own",
            )
        return answers.reference(Receipt(body["record_id"], index, stored.statement, b""))

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)


def prepare(body: bytes, caller: Identity, region: str, environment: str) -> list[Prepared]:
    """Return the batches of a request, checked, each ready to be finished. Touches nothing shared: runs in a thread."""
    del region
    request = _parse(body)
    return [_prepare_one(batch, caller, environment) for batch in request.batches]


def _parse(body: bytes) -> BatchesRequest:
    """Parse strictly. Our collector writes compact JSON; then writing it again proves that no key came twice."""
    if len(body) > MAX_BATCHES_BYTES:
        raise EncodingError(f"input has {len(body)} bytes", hint=f"at most {MAX_BATCHES_BYTES} are allowed")
    try:
        value = orjson.loads(body)
        same = orjson.dumps(value) == body
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
        raise EncodingError(f"not JSON: {error}") from error
    if not same:
        value = canonical.parse(body, max_bytes=MAX_BATCHES_BYTES)
    try:
        return msgspec.convert(value, BatchesRequest)
    except msgspec.ValidationError as error:
        raise InputError(f"the body does not fit: {error}"[:200], hint="see /openapi.json for its shape") from error


def _prepare_one(request: BatchRequest, caller: Identity, environment: str) -> Prepared:
    _check(request, caller)
    agent = request.agent
    start: dict[str, canonical.Json] = {
        "agent": None
        if agent is None
        else {"id": agent, "principal": request.principal, "proof": request.proof, "on_behalf_of": []},
        "batch_id": request.batch_id,
        "count": len(request.items),
        "coverage": request.coverage,
        "environment": environment if request.environment is None else request.environment,
        "items": list(request.items),
    }
    most = MAX_BATCH_BODY_BYTES - _ROOM_FOR_END_BYTES
    data = canonical.encode_own(start, max_bytes=most)[:-1]
    compressor = sealed_body.compressor()
    compressed = [compressor.compress(data), compressor.flush(sealed_body.FLUSH_BLOCK)]
    key = RememberedBatches.key(request.principal, request.batch_id)
    return Prepared(request, key, hashlib.sha256(data), compressor, compressed)


def _check(request: BatchRequest, caller: Identity) -> None:
    require_name(request.batch_id, "batch id")
    require_name(request.principal, "principal")
    require_name(request.retention_class, "retention class")
    if "/" in request.retention_class:
        raise InputError("a retention class has no `/`", hint="name it without")
    for name, value in (("subject", request.subject), ("region", request.region), ("environment", request.environment)):
        if value:
            require_name(value, name)
    if request.subject is not None and (not request.subject or "/" in request.subject):
        raise InputError("subject is not a token", hint="send the subject's token, or null")
    if request.agent is not None:
        require_name(request.agent, "agent")
    if not caller.speaks_for("*" if request.agent is None else request.agent):
        raise NotPermittedError(
            f"`{caller.principal}` may not speak for agent `{request.agent or '*'}`", code="subject-not-allowed"
        )
    longest = max(map(len, request.items))
    if longest > MAX_ITEM_BYTES:
        raise InputError(f"an item has {longest} characters", hint=f"at most {MAX_ITEM_BYTES} bytes are allowed")
