"""``sealgate mcp serve``: many servers behind one streamable HTTP endpoint, as an ASGI application.

Who is let in is settled before a body is read: the page that a request comes from (``Origin``), the name it was sent to
(``Host``, against rebinding), and the key. A client that goes away takes its request with it, to the server too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

from sealgate.gateway import envelope as envelopes
from sealgate.gateway import headers, methods
from sealgate.gateway.configuration import LOOPBACK, Gateway
from sealgate.gateway.conversations import Conversation, Conversations, Exchange
from sealgate.gateway.envelope import Answer, Envelope, EnvelopeError, Members
from sealgate.gateway.events import MEDIA_TYPE, event
from sealgate.gateway.headers import HeaderMismatch
from sealgate.gateway.judging import Caller
from sealgate.gateway.listening import PEER
from sealgate.gateway.protected import Protected
from sealgate.model.errors import SealgateError
from sealgate.model.evaluation import Identity
from sealgate.ports.identity import IdentityResolver

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_STATUS: Final = {
    **dict.fromkeys((-32700, -32600, -32602, headers.MISMATCH, -32021, -32022), 400),
    -32601: 404,
}
"""HTTP status of an error, in the protocol without sessions."""

_CANCELLED: Final = -32800
_SERVED: Final = ("2026-07-28",)


class _Refusal(Exception):  # noqa: N818  # private signal: an HTTP answer that ends the request
    def __init__(self, status: int, text: str, *more: tuple[bytes, bytes]) -> None:
        super().__init__(text)
        self.status, self.text, self.more = status, text, more


class Endpoint:
    """The application.

    Args:
        found: the configuration.
        conversations: of this endpoint.
        resolver: says who calls; None where nobody is asked.
        note: records that a message was refused before anybody looked at it.
    """

    def __init__(
        self,
        found: Gateway,
        conversations: Conversations,
        resolver: IdentityResolver | None,
        note: Callable[[str, Caller], Awaitable[None]],
    ) -> None:
        self._found = found
        self._conversations = conversations
        self._resolver = resolver
        self._note = note
        self._protected = Protected.of(found.resource, found.callers.oidc)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        if scope["type"] != "http":
            return
        try:
            await self._serve(scope, receive, send)
        except _Refusal as refusal:
            body = envelopes.encode(envelopes.response(None, envelopes.failure(-32000, refusal.text)))
            await _respond(send, refusal.status, body, *refusal.more)
        except SealgateError as error:
            body = envelopes.encode(envelopes.response(None, envelopes.failure(-32000, error.message)))
            await _respond(send, 503, body)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = {name.decode("latin-1"): value.decode("latin-1").strip(" \t") for name, value in scope["headers"]}
        self._check_place(scope, head)
        if self._protected.path and scope["path"] == self._protected.path:
            await self._describe(scope, send)
            return
        caller = self._caller(scope, head)
        if scope["method"] == "POST":
            await self._post(scope, head, caller, receive, send)
        elif scope["method"] in ("GET", "DELETE") and headers.SESSION in head:
            conversation = self._conversations.find(head[headers.SESSION], caller)
            if conversation is None:
                raise _Refusal(404, "there is no such session")
            if scope["method"] == "DELETE":
                await self._conversations.end(conversation)
                await _respond(send, 200, b"")
            else:
                await _stand(conversation, receive, send)
        else:
            raise _Refusal(405, "only POST is offered here", (b"allow", b"POST"))

    # Who and where from

    def _check_place(self, scope: Scope, head: Mapping[str, str]) -> None:
        if scope["path"] not in (self._found.path, self._protected.path):
            raise _Refusal(404, "there is nothing here")
        host = urlsplit(f"//{head.get('host', '')}").hostname or ""
        if host not in (LOOPBACK if self._found.host in LOOPBACK else {self._found.host}) | {
            *self._found.allowed_hosts
        }:
            raise _Refusal(403, "this host name is not served here")
        origin = head.get("origin")
        if origin is not None and origin not in self._found.allowed_origins:
            parts = urlsplit(origin)
            if parts.hostname not in LOOPBACK or self._found.host not in LOOPBACK:
                raise _Refusal(403, "this origin is not let in")

    async def _describe(self, scope: Scope, send: Send) -> None:
        """Answer who gives tokens for us; everybody may know."""
        if scope["method"] not in ("GET", "HEAD"):
            raise _Refusal(405, "this can only be read", (b"allow", b"GET, HEAD"))
        await _respond(send, 200, self._protected.metadata)

    def _caller(self, scope: Scope, head: Mapping[str, str]) -> Caller:
        if self._resolver is None:
            return self._seen(self._found.agent)
        given = head.get("authorization")
        identity = self._resolver.resolve(scope["state"][PEER], given)
        if identity is None:
            challenge = self._protected.challenge("invalid_token" if given is not None else "")
            raise _Refusal(401, "a proof of who calls is needed", (b"www-authenticate", challenge))
        if "enforce" not in identity.roles:
            more = [(b"www-authenticate", self._protected.challenge("insufficient_scope"))] if given is not None else []
            raise _Refusal(403, "this caller may not ask for decisions", *more)
        known = identity.agents - {"*"}
        agent = head.get("sealgate-agent") or (next(iter(known)) if len(known) == 1 else "")
        if not agent or not identity.speaks_for(agent):
            raise _Refusal(403, "it is not said which agent acts, or not one of this caller's; send `Sealgate-Agent`")
        return self._seen(agent, identity)

    def _seen(self, agent: str, identity: Identity | None = None) -> Caller:
        visible = self._found.visible.get(agent, self._found.visible.get("*", ("*",)))
        if identity is None:
            return Caller(agent, visible=visible)
        return Caller(agent, identity.principal, identity.how, (identity.principal,), visible)

    # One message

    async def _post(self, scope: Scope, head: Mapping[str, str], caller: Caller, receive: Receive, send: Send) -> None:
        accepted = head.get("accept", "")
        if not ("*/*" in accepted or ("application/json" in accepted and MEDIA_TYPE in accepted)):
            raise _Refusal(406, f"accept application/json and {MEDIA_TYPE}")
        if head.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise _Refusal(415, "send application/json")
        data = await _read(receive, head)
        try:
            headers.require_single(name for name, _ in scope["headers"])
            message = envelopes.parse(data, max_bytes=envelopes.MAX_CLIENT_MESSAGE_BYTES)
        except EnvelopeError as error:
            await self._note(error.message, caller)
            await _answer(send, 400, error.request_id, envelopes.failure(error.code, error.message))
            return
        except HeaderMismatch as error:
            await self._note(error.message, caller)
            await _answer(send, 400, None, envelopes.failure(headers.MISMATCH, error.message))
            return
        conversation = await self._conversation(message, head, caller)
        if message.kind == "request":
            await self._request(message, head, conversation, receive, send)
            return
        if message.kind == "response":
            _resolve(conversation, message)
        else:
            _cancel(conversation, message)
            await conversation.relay.on_notification(message)
        await _respond(send, 202, b"")

    async def _conversation(self, message: Envelope, head: Mapping[str, str], caller: Caller) -> Conversation:
        session = head.get(headers.SESSION)
        if session is not None:
            found = self._conversations.find(session, caller)
            if found is None:
                raise _Refusal(404, "there is no such session")
            return found
        if message.method == "initialize" and not methods.is_modern(message):
            return await self._conversations.start(caller)
        if message.kind == "response" or head.get(headers.VERSION, _SERVED[0]) < _SERVED[0]:
            raise _Refusal(400, "the header `Mcp-Session-Id` is missing")
        return await self._conversations.stateless(caller)

    async def _request(
        self, message: Envelope, head: Mapping[str, str], conversation: Conversation, receive: Receive, send: Send
    ) -> None:
        exchange = Exchange(conversation)
        modern = not conversation.session
        refused = await _refused(message, head, conversation, exchange) if modern else None
        if refused is not None:
            await self._note(refused["error"]["message"], conversation.caller)
            await _answer(send, 400, message.id, refused)
            return
        if message.id is None or (not modern and message.id in conversation.running):
            await _answer(send, 400, message.id, envelopes.failure(-32600, "the request's id is in use"))
            return
        task = asyncio.get_running_loop().create_task(conversation.relay.on_request(message, exchange))
        if not modern:
            conversation.running[message.id] = task
        try:
            await _carry(message, conversation, exchange, task, receive, send)
        finally:
            if not modern:
                conversation.running.pop(message.id, None)
            if message.method == "initialize" and (task.cancelled() or task.exception() or "error" in task.result()):
                await self._conversations.end(conversation)


async def _refused(
    message: Envelope, head: Mapping[str, str], conversation: Conversation, exchange: Exchange
) -> Answer | None:
    """Return why the protocol without sessions does not take a request, if it does not."""
    missing = [key for key in (methods.MODERN_KEY, methods.CAPABILITIES_KEY) if key not in message.meta]
    if missing:
        return envelopes.failure(envelopes.INVALID_PARAMS, f"`_meta` has no `{missing[0]}`")
    try:
        headers.require_match(message, head)
        if message.meta[methods.MODERN_KEY] not in _SERVED:
            data: Members = {"supported": list(_SERVED), "requested": message.meta[methods.MODERN_KEY]}
            return envelopes.failure(-32022, "Unsupported protocol version", data)
        if message.method == methods.CALL:
            await conversation.relay.catalogue.refresh(message.meta, exchange)
            entry = conversation.relay.catalogue.find(str(message.params.get("name")))
            arguments = message.params.get("arguments")
            if entry is not None:
                schema = entry.definition.get("inputSchema")
                headers.require_parameters(schema, arguments if isinstance(arguments, dict) else {}, head)
    except HeaderMismatch as error:
        return envelopes.failure(headers.MISMATCH, error.message)
    return None


async def _carry(
    message: Envelope,
    conversation: Conversation,
    exchange: Exchange,
    task: "asyncio.Task[Answer]",
    receive: Receive,
    send: Send,
) -> None:
    """Send what belongs to a request as it comes, then its answer; a lone answer without a session is plain JSON."""
    gone = asyncio.get_running_loop().create_task(_disconnected(receive))
    task.add_done_callback(lambda _: exchange.queue.put_nowait(None))
    gone.add_done_callback(lambda _: task.cancel())
    more = () if message.method != "initialize" else ((headers.SESSION.encode(), conversation.session.encode()),)
    streaming = False
    try:
        while (item := await exchange.queue.get()) is not None:
            if not streaming:
                await _start(send, *more)
                streaming = True
            await send({"type": "http.response.body", "body": event(item), "more_body": True})
        answer = _result(task)
        if not streaming and conversation.session and not more and not gone.done():
            await _start(send)  # in the protocol with sessions a stream is what clients expect
            streaming = True
        if streaming:
            data = envelopes.encode(envelopes.response(message.id, answer))
            await send({"type": "http.response.body", "body": event(data)})
        elif not (gone.done() and not gone.cancelled()):
            code = answer.get("error", {}).get("code")
            status = 200 if conversation.session else _STATUS.get(code, 200)
            await _answer(send, status, message.id, answer, *more)
    finally:
        gone.cancel()
        task.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


def _result(task: "asyncio.Task[Answer]") -> Answer:
    if task.cancelled():
        return envelopes.failure(_CANCELLED, "the request was cancelled")
    if task.exception() is not None:
        return envelopes.failure(envelopes.INTERNAL_ERROR, "the gate failed; what was asked did not run or is unknown")
    return task.result()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stand(conversation: Conversation, receive: Receive, send: Send) -> None:
    """Send what belongs to no request, until the client goes."""
    await _start(send)
    gone = asyncio.get_running_loop().create_task(_disconnected(receive))
    gone.add_done_callback(lambda _: conversation.standing.queue.put_nowait(None))
    while (item := await conversation.standing.queue.get()) is not None:
        await send({"type": "http.response.body", "body": event(item), "more_body": True})
    gone.cancel()
    await send({"type": "http.response.body", "body": b""})


def _resolve(conversation: Conversation, message: Envelope) -> None:
    future = None if message.id is None else conversation.waiting.get(message.id)
    if future is not None and not future.done():
        future.set_result(message.answer)


def _cancel(conversation: Conversation, message: Envelope) -> None:
    wanted = message.params.get("requestId")
    if message.method == "notifications/cancelled" and isinstance(wanted, (str, int)):
        task = conversation.running.get(wanted)
        if task is not None:
            task.cancel()


async def _read(receive: Receive, head: Mapping[str, str]) -> bytes:
    length = head.get("content-length", "0")
    if not length.isdecimal() or int(length) > envelopes.MAX_CLIENT_MESSAGE_BYTES:
        raise _Refusal(413, "the message is too long")
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refusal(400, "the message did not come whole")
        body += message.get("body", b"")
        if len(body) > envelopes.MAX_CLIENT_MESSAGE_BYTES:
            raise _Refusal(413, "the message is too long")
        if not message.get("more_body", False):
            return bytes(body)


async def _start(send: Send, *more: tuple[bytes, bytes]) -> None:
    head = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
        *more,
    ]
    await send({"type": "http.response.start", "status": 200, "headers": head})


async def _answer(
    send: Send, status: int, request_id: envelopes.Id | None, answer: Answer, *more: tuple[bytes, bytes]
) -> None:
    await _respond(send, status, envelopes.encode(envelopes.response(request_id, answer)), *more)


async def _respond(send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
    head = [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store"), *more]
    if body:
        head.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
