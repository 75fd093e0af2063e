"""HTTP/1.1 on one connection: bytes in, requests to the application one after another, answers out.

The parser is llhttp in its strict mode (conflicting lengths, obsolete folding and bare line feeds are refused there).
This module adds what a parser leaves to its user: bounds on head and body before they are kept, one deadline for each
phase so that a slow caller holds nothing for long, one error shape for refusals of every kind.

A connection is in one phase at a time::

    FRESH ──first byte──▶ READING ──complete──▶ ANSWERING ──answer──▶ IDLE ──next byte──▶ READING
      │                      │                       │
      └────── deadline ──────┴────── refused ────────┴──▶ LINGERING ──▶ closed

``Connections.sweep`` compares each phase with its deadline once a second: no timer for each request.
"""

import asyncio
import types
from collections import deque
from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import httptools

from . import bounds, problems
from .heads import Head
from .messages import NOBODY, Request
from .peers import peer_of
from .problems import Kind
from .wire import response_bytes

if TYPE_CHECKING:
    from .connections import Connections

Phase = Literal["fresh", "reading", "answering", "idle", "lingering"]

TIMEOUT_S: Final[dict[Phase, float]] = {
    "fresh": bounds.FIRST_BYTE_TIMEOUT_S,
    "reading": bounds.REQUEST_TIMEOUT_S,
    "idle": bounds.KEEP_ALIVE_S,
    "lingering": bounds.LINGER_S,
}
"""How long a phase may last. `answering` is not here: the authority has its own deadline, and a record that is being
written is not given up because its caller is impatient."""

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection. The methods named ``on_*`` are called by the parser, the others by the transport."""

    def __init__(self, connections: "Connections") -> None:
        self._all = connections
        self._application = connections.application
        self._loop = connections.loop
        self._parser = httptools.HttpRequestParser(self)
        self._transport = cast("asyncio.Transport", None)
        self._peer = NOBODY
        self._phase: Phase = "fresh"
        self._since = 0.0
        self._deaf = False  # nothing more is taken from this caller
        self._in_head = False
        self._head_feeds = 0
        self._refusal = b""
        self._queue: deque[tuple[Request, bool]] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._writable: asyncio.Event | None = None
        self._blocked_since = 0.0
        self._reset()

    def _reset(self) -> None:
        """Forget the last request."""
        self._head = Head()
        self._path = ""
        self._body = b""
        self._max_body_bytes = 0
        self._method = ""
        self._at_once = False

    # Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Learn who is at the other end."""
        self._transport = cast("asyncio.Transport", transport)
        self._enter("fresh")
        counts = self._application.metrics
        if len(self._all.open) >= self._all.max_open or self._all.stopping:
            counts.connections_refused += 1
            kind = problems.STOPPING if self._all.stopping else problems.OVERLOADED
            self._all.open.add(self)
            if len(self._all.open) > 2 * self._all.max_open:  # no more than so many are told why
                self._transport.abort()
                return
            self._refuse(kind, "no further connection is served now", "try again shortly")
        else:
            self._peer = peer_of(self._transport)
            self._all.open.add(self)
        counts.connections = len(self._all.open)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection. A decision that is under way is finished: its record may already be written."""
        del exc
        self._all.forget(self)
        self._all.check_all_closed()
        self._application.metrics.connections = len(self._all.open)
        self._queue.clear()
        if self._writable is not None:
            self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        if self._deaf:
            return
        if self._phase in {"fresh", "idle"}:
            self._enter("reading")
        self._head_feeds += len(data) if self._in_head else 0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # refused when its head was complete
        except httptools.HttpParserError:
            self._refuse(problems.BAD_HTTP, "the bytes are not a valid HTTP/1.1 request", "see RFC 9112")
        if self._queue and self._worker is None:
            self._begin()
        if self._in_head and self._head_feeds > bounds.MAX_HEAD_BYTES:  # the parser keeps what it has not handed out
            self._refuse(problems.HEAD_TOO_LARGE, f"over {bounds.MAX_HEAD_BYTES} bytes", "send fewer headers")
        if len(self._queue) > bounds.MAX_PIPELINED and not self._transport.is_closing():
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """Stop answering: the caller does not read."""
        self._writable = asyncio.Event()
        self._blocked_since = self._loop.time()

    def resume_writing(self) -> None:
        """Go on answering."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    # Parser

    def on_message_begin(self) -> None:
        """Start a request."""
        self._reset()
        self._in_head = True
        self._head_feeds = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the request target."""
        self._head.take_target(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; trailers, which come after the body, are ignored."""
        if not self._in_head or self._deaf:
            return
        if not self._head.take_field(name, value):
            self._refuse(problems.BAD_HTTP, f"`{name.lower().decode('latin-1')}` comes twice", "send it once")

    def on_headers_complete(self) -> None:
        """Decide from the head whether the body may come."""
        self._in_head = False
        if self._deaf:
            return
        parser, head = self._parser, self._head
        refusal = head.refusal(parser.get_http_version(), upgrade=parser.should_upgrade())
        if refusal is not None:
            self._refuse(*refusal)
            return
        headers = head.fields
        self._path = head.path()
        self._method = parser.get_method().decode("ascii")
        route = self._application.route(self._path, self._method)
        if route is not None:
            self._max_body_bytes, self._at_once = route.max_bytes, route.at_once
        length = headers.get(b"content-length")
        if length is not None and int(length) > max(self._max_body_bytes, bounds.MAX_HEAD_BYTES):
            self._too_large()
        elif b"expect" in headers and headers[b"expect"].lower() == b"100-continue" and not self._busy:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if self._deaf:
            return
        self._body = self._body + body if self._body else body
        if len(self._body) > max(self._max_body_bytes, bounds.MAX_HEAD_BYTES):
            self._too_large()

    def on_message_complete(self) -> None:
        """Hand the request to the application, behind those that came before it."""
        if self._deaf:
            return
        headers = self._head.fields
        request = Request(
            self._method,
            self._path,
            self._body,
            self._peer,
            headers.get(b"content-type", b""),
            headers.get(b"authorization"),
            headers.get(b"x-request-id"),
            headers.get(b"prefer"),
            headers.get(b"content-encoding", b""),
            self._head.query(),
            self._all.alone(self) and self._at_once,
        )
        self._queue.append((request, self._parser.should_keep_alive()))

    # Answers

    def _begin(self) -> None:
        """Answer what waits: in a task, or at once where nobody else asks and the route allows it (ADR 0201)."""
        if not self._queue[0][0].alone:
            self._worker = self._loop.create_task(self._work())
            return
        work = self._work()
        try:
            waits_for = work.send(None)
        except StopIteration:
            return
        self._worker = self._loop.create_task(_go_on(work, waits_for))

    async def _work(self) -> None:
        """Answer what waits, in order. Ends when nothing waits or the connection does."""
        queue, transport = self._queue, self._transport
        while queue:
            self._enter("answering")
            request, keep_alive = queue.popleft()
            response = await self._application.handle(request)
            if transport.is_closing():
                break
            close = response.close or not keep_alive or (self._all.stopping and not queue)
            head_only = request.method == "HEAD"
            transport.write(response_bytes(response, date=self._all.date, close=close, head_only=head_only))
            if close:
                self._deaf = True
                transport.close()
                break
            if self._writable is not None:
                await self._writable.wait()
        self._worker = None
        if transport.is_closing():
            queue.clear()
        elif self._refusal:
            self._linger()
        else:
            self._enter("idle")
            transport.resume_reading()

    @property
    def _busy(self) -> bool:
        """Whether an answer is under way or will be."""
        return self._worker is not None or bool(self._queue)

    def _too_large(self) -> None:
        limit = self._max_body_bytes
        self._refuse(problems.TOO_LARGE, f"over {limit} bytes", f"send at most {limit} bytes to this path")

    def _refuse(self, kind: Kind, detail: str, hint: str) -> None:
        """Answer a request that never reaches the application, behind the answers still under way."""
        if self._deaf:
            return
        self._deaf = True
        self._application.metrics.bad_http += 1
        self._application.metrics.count_request("(none)", kind.status)
        response = problems.answer(problems.problem(kind, detail, hint=hint))
        self._refusal = response_bytes(response, date=self._all.date, close=True)
        if not self._busy:
            self._linger()

    def _linger(self) -> None:
        """Write the refusal and read on for a while: closing with unread bytes could reset it away."""
        self._enter("lingering")
        if self._transport.is_closing():
            return
        self._transport.write(self._refusal)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()

    # Life

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._since = self._loop.time()

    def check_deadline(self, now: float) -> None:
        """Close this connection if its phase, or an unread answer, has lasted too long."""
        if self._writable is not None and now - self._blocked_since > bounds.WRITE_TIMEOUT_S:
            self._transport.abort()
        elif now - self._since <= TIMEOUT_S.get(self._phase, float("inf")):
            return
        elif self._phase == "reading":
            self._refuse(problems.TIMEOUT, "the request did not arrive in time", "send it in one piece")
        else:
            self._transport.close()

    def stop(self) -> None:
        """End after the answer that is under way, or now."""
        if self._worker is None:
            self._transport.close()

    def abort(self) -> None:
        """End now."""
        self._transport.abort()


@types.coroutine
def _go_on(work: Coroutine[Any, None, None], waits_for: Any) -> Generator[Any, None, None]:
    """Await in a task what ``work``, begun without one, waits for; then let it go on."""
    yield waits_for
    yield from work
