"""A judge in a process of its own, asked in batches (ports.judging.Judges).

Asking costs the event loop a tenth of judging, but a round trip: worth it only while many decisions are under way, so
``ask`` declines until ``busy`` are open. All questions of one turn of the loop travel in one frame.

If the judge dies or is late, its open questions are done with None and the authority judges by itself; a new judge is
started once, after that none: an engine that dies twice on a policy set had better be looked at.
"""

import asyncio
import logging
import socket
import subprocess
import sys
from typing import Final

from sealgate.adapters.judging import messages
from sealgate.adapters.judging.messages import Ask, Load, Loaded, Question, Told
from sealgate.model.decisions import Outcome, Reason
from sealgate.ports.judging import Judgement, Matter

_LOG = logging.getLogger(__name__)
_PATIENCE_S: Final = 0.1
"""How long a question may be under way before the authority judges by itself; well below a decision's deadline."""

_MAX_STARTS: Final = 2


class ProcessJudge:
    """One judge. ``busy``: how many decisions must be under way before it is asked. Owned by one event loop."""

    def __init__(self, *, busy: int = 8) -> None:
        self._busy = busy
        self._starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._wanted: Load | None = None
        self._loaded = ""
        self._number = 0
        self._open: dict[int, asyncio.Future[Judgement | None]] = {}
        self._batch: list[Question] = []
        self._watching = False
        self._closed = False
        self._starting: asyncio.Task[None] | None = None

    def load(self, version: str, bundle: bytes) -> None:
        """Make a policy set known; starts the judge when there is none."""
        self._wanted = Load(version, bundle)
        self._loaded = ""
        if self._transport is not None:
            self._transport.write(messages.frame(self._wanted))
        elif self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._start())

    def busy(self, version: str, under_way: int) -> bool:
        """Tell whether the policy set is loaded there and enough decisions are under way."""
        return under_way >= self._busy and self._loaded == version and self._transport is not None

    def ask(self, version: str, matter: Matter) -> "asyncio.Future[Judgement | None] | None":
        """Return a future of the judgement, or None where the caller should judge by itself."""
        if self._loaded != version or self._transport is None:
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
        if not self._watching:
            self._watching = True
            loop.call_later(_PATIENCE_S, self._watch, self._number)
        return future

    def _flush(self, version: str) -> None:
        questions, self._batch = self._batch, []
        if self._transport is not None:
            self._transport.write(messages.frame(Ask(version, questions)))
        # without a transport ``lost`` has answered them already

    def _watch(self, newest: int) -> None:
        """Give up on questions that were open a whole round of patience ago."""
        for number in [number for number in self._open if number <= newest]:
            self._done(number, None)
        self._watching = bool(self._open)
        if self._watching:
            asyncio.get_running_loop().call_later(_PATIENCE_S, self._watch, self._number)

    def _done(self, number: int, judgement: Judgement | None) -> None:
        future = self._open.pop(number, None)
        if future is not None and not future.done():
            future.set_result(judgement)

    async def _start(self) -> None:
        self._starts += 1
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603  # our own module; starting takes a fork's time
                [sys.executable, "-m", "sealgate.adapters.judging.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        finally:
            theirs.close()
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: _Connection(self), sock=ours)
        self._starting = None
        if self._closed:
            transport.close()
            self._end()
            return
        self._transport = transport
        if self._wanted is not None:
            transport.write(messages.frame(self._wanted))

    def received(self, message: Loaded | Told) -> None:
        """Take in what the judge says."""
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
        """The judge is gone: answer what is open, start another one once."""
        self._transport, self._loaded = None, ""
        for number in list(self._open):
            self._done(number, None)
        if self._closed:
            return
        self._end()
        _LOG.warning("the policy judge ended; decisions go on without it")
        if self._starts < _MAX_STARTS and self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._start())

    def close(self) -> None:
        """End the judge. It holds nothing that would have to be saved."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()
        self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class _Connection(asyncio.Protocol):
    """Cuts the stream of a judge's answers into messages."""

    def __init__(self, judge: ProcessJudge) -> None:
        self._judge = judge
        self._buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= messages.HEAD_BYTES:
            end = at + messages.HEAD_BYTES + messages.length_of(bytes(self._buffer[at : at + messages.HEAD_BYTES]))
            if len(self._buffer) < end:
                break
            self._judge.received(messages.decode_from_judge(self._buffer[at + messages.HEAD_BYTES : end]))
            at = end
        del self._buffer[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._judge.lost()
