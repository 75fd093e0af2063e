"""Hands groups to one authority: what gathers while a request is under way goes with the next, in one request.

Items that came without a batch id (OTLP) may share a record with those of other requests of the same sender: they
linger for a few milliseconds. A batch with an id never shares: its record is found again by the id.
"""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Final

from sealgate.collector.preparing import Group, Source
from sealgate.model.batches import MAX_BATCHES, MAX_BATCHES_BYTES, BatchRecorded, BatchRequest
from sealgate.model.errors import SealgateError, UnavailableError
from sealgate.model.evaluation import Identity
from sealgate.ports.collecting import Destination

_REQUEST_BYTES: Final = MAX_BATCHES_BYTES // 2
_IN_FLIGHT: Final = 2
"""Requests under way at once: while the authority syncs one, it prepares the next."""


@dataclass(slots=True)
class _Waiting:
    batch: BatchRequest
    size: int
    done: "asyncio.Future[BatchRecorded]"


@dataclass(slots=True)
class _Open:
    """A group that still takes items."""

    group: Group
    caller: Identity
    source: Source
    done: "asyncio.Future[BatchRecorded]"
    timer: asyncio.TimerHandle


class Outbox:
    """The way to one authority. One event loop owns it."""

    def __init__(self, destination: Destination, *, linger_s: float) -> None:
        self.destination = destination
        self._linger_s = linger_s
        self._waiting: list[_Waiting] = []
        self._open: dict[tuple[str, str, str | None, str], _Open] = {}
        self._senders: set[asyncio.Task[None]] = set()
        self.requests = 0
        self.failures = 0

    def send(self, group: Group, caller: Identity, coverage: str, batch_id: str) -> "asyncio.Future[BatchRecorded]":
        """Send a group as a record of its own; the future is done when it is durable."""
        done: asyncio.Future[BatchRecorded] = asyncio.get_running_loop().create_future()
        self._push(group, caller, coverage, batch_id, done)
        return done

    def share(self, group: Group, caller: Identity, source: Source, coverage: str) -> "asyncio.Future[BatchRecorded]":
        """Let a group share a record with others of this sender that come within the linger time."""
        loop = asyncio.get_running_loop()
        key = (caller.principal, group.retention_class, group.subject, coverage)
        found = self._open.get(key)
        if found is not None and not found.group.fits(len(group.items), group.size):
            self._close(key)
            found = None
        if found is None:
            timer = loop.call_later(self._linger_s, self._close, key)
            found = self._open[key] = _Open(group, caller, source, loop.create_future(), timer)
        else:
            shared = found.group
            shared.items += group.items
            shared.ids += group.ids
            shared.size += group.size
            if shared.agent != group.agent:
                shared.agent = None
        if found.group.is_full:
            self._close(key)
        return found.done

    def _close(self, key: tuple[str, str, str | None, str]) -> None:
        found = self._open.pop(key)
        found.timer.cancel()
        # The id is made here, so a retry of the request to the authority counts once; a sender's retry has new items.
        self._push(found.group, found.caller, key[3], secrets.token_hex(16), found.done)

    def _push(
        self, group: Group, caller: Identity, coverage: str, batch_id: str, done: "asyncio.Future[BatchRecorded]"
    ) -> None:
        batch = BatchRequest(
            batch_id=batch_id,
            agent=group.agent,
            principal=caller.principal,
            proof=caller.proof,
            coverage="captured" if coverage == "captured" else "observed",
            retention_class=group.retention_class,
            subject=group.subject,
            region=None,
            environment=None,
            items=group.items,
        )
        self._waiting.append(_Waiting(batch, group.size, done))
        if len(self._senders) < _IN_FLIGHT:
            task = asyncio.get_running_loop().create_task(self._run())
            self._senders.add(task)
            task.add_done_callback(self._senders.discard)

    async def _run(self) -> None:
        while self._waiting:
            taken = self._take()
            self.requests += 1
            try:
                recorded = await self.destination.record([each.batch for each in taken])
            except SealgateError as error:
                self.failures += 1
                _fail(taken, error)
            except BaseException:
                _fail(taken, UnavailableError("the authority's answer was not awaited", hint="send the batch again"))
                raise
            else:
                for each, answer in zip(taken, recorded, strict=True):
                    if not each.done.done():
                        each.done.set_result(answer)

    def _take(self) -> list[_Waiting]:
        size = count = 0
        for each in self._waiting[:MAX_BATCHES]:
            size += each.size
            if count and size > _REQUEST_BYTES:
                break
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    async def close(self) -> None:
        """Send what lingers, wait for what is under way."""
        for key in list(self._open):
            self._close(key)
        while self._senders:
            await asyncio.wait(self._senders)
        await self.destination.close()


def _fail(taken: list[_Waiting], error: SealgateError) -> None:
    for each in taken:
        if not each.done.done():
            each.done.set_exception(error)
            each.done.exception()  # a sender that went away does not ask for it
