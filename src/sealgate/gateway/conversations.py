"""The conversations of an endpoint: what each client and the servers behind it have open between them."""

import asyncio
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from sealgate.gateway import secrets as references
from sealgate.gateway.approvals import StateSeal
from sealgate.gateway.configuration import Gateway, headers_of
from sealgate.gateway.envelope import Answer, Envelope, Id, encode
from sealgate.gateway.judging import Caller, Judge
from sealgate.gateway.links import ClientGone, Downstream, Upstream
from sealgate.gateway.pins import Pins
from sealgate.gateway.process import ProcessUpstream
from sealgate.gateway.relay import Options, Relay
from sealgate.gateway.remote import HttpUpstream
from sealgate.gateway.shared import SharedProcess
from sealgate.model.errors import UnavailableError

MAX_SESSIONS: Final = 1024
IDLE_S: Final = 3600.0
MAX_WAITING: Final = 1024
"""Notifications of one stream that wait for a client that does not read; later ones are dropped."""

Links = list[ProcessUpstream | SharedProcess | HttpUpstream]


class Exchange:
    """A stream of messages to the client: that of one of its requests, or the standing one of a session."""

    def __init__(self, conversation: "Conversation") -> None:
        self._conversation = conversation
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def ask(self, request: Envelope) -> Answer:
        """See Downstream."""
        if not self._conversation.session or request.id is None:
            raise ClientGone("this client cannot be asked anything")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._conversation.waiting[request.id] = future
        try:
            await self.queue.put(encode(request.members))
            return await future
        finally:
            self._conversation.waiting.pop(request.id, None)

    async def tell(self, message: Envelope) -> None:
        """See Downstream. A standing stream that nobody reads forgets."""
        if self.queue.qsize() < MAX_WAITING:
            await self.queue.put(encode(message.members))


@dataclass(slots=True)
class Conversation:
    """One client: a session, or everything a caller asks without one."""

    caller: Caller
    session: str
    links: Links = field(default_factory=list)
    waiting: dict[Id, asyncio.Future[Answer]] = field(default_factory=dict)
    running: dict[Id, asyncio.Task[Answer]] = field(default_factory=dict)
    used_s: float = 0.0
    relay: Relay = field(init=False)
    standing: Exchange = field(init=False)

    async def close(self) -> None:
        """Let go of everything."""
        for task in list(self.running.values()):
            task.cancel()
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(ClientGone("the session ended"))
        await asyncio.gather(*(link.stop() for link in self.links), return_exceptions=True)


class Conversations:
    """Opens, finds and closes conversations."""

    def __init__(self, found: Gateway, judge: Judge, pins: Pins, http: aiohttp.ClientSession, seal: StateSeal) -> None:
        self._found = found
        self._judge = judge
        self._pins = pins
        self._http = http
        self._seal = seal
        self._options = Options(found.timeout_s, not found.any_definition)
        self._sessions: dict[str, Conversation] = {}
        self._stateless: dict[Caller, asyncio.Task[Conversation]] = {}
        # Secrets are read once, when the gateway starts: a secret that cannot be had is found out then.
        self._headers: Mapping[str, dict[str, str]] = {
            name: headers_of(server) for name, server in found.servers.items() if server.url
        }

    def find(self, session: str, caller: Caller) -> Conversation | None:
        """Return a session of this very caller."""
        conversation = self._sessions.get(session)
        if conversation is None or conversation.caller != caller:
            return None
        conversation.used_s = time.monotonic()
        return conversation

    async def stateless(self, caller: Caller) -> Conversation:
        """Return what a caller's requests without a session go through.

        Raises:
            UnavailableError: there are too many callers.
        """
        task = self._stateless.get(caller)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            if task is None and len(self._stateless) >= MAX_SESSIONS:
                raise UnavailableError("too many callers are served", hint="try again later")
            task = asyncio.get_running_loop().create_task(self._open(caller, ""))
            self._stateless[caller] = task
        return await asyncio.shield(task)

    async def start(self, caller: Caller) -> Conversation:
        """Open a session.

        Raises:
            UnavailableError: there are too many.
        """
        await self._forget_idle()
        if len(self._sessions) >= MAX_SESSIONS:
            raise UnavailableError("too many sessions are open", hint="try again later")
        conversation = await self._open(caller, secrets.token_urlsafe(24))
        self._sessions[conversation.session] = conversation
        return conversation

    async def end(self, conversation: Conversation) -> None:
        """Close a session."""
        if self._sessions.pop(conversation.session, None) is not None:
            await conversation.close()

    async def close(self) -> None:
        """Close everything."""
        for conversation in [*self._sessions.values()]:
            await conversation.close()
        for task in self._stateless.values():
            if task.done() and not task.cancelled() and task.exception() is None:
                await task.result().close()
            task.cancel()
        self._sessions.clear()
        self._stateless.clear()

    async def _forget_idle(self) -> None:
        idle = time.monotonic() - IDLE_S
        for conversation in [item for item in self._sessions.values() if item.used_s < idle and not item.running]:
            await self.end(conversation)

    async def _open(self, caller: Caller, session: str) -> Conversation:
        conversation = Conversation(caller, session, used_s=time.monotonic())
        standing = conversation.standing = Exchange(conversation)

        async def asked(upstream: Upstream, message: Envelope, downstream: Downstream) -> Answer:
            return await conversation.relay.on_server_request(upstream, message, downstream)

        async def told(upstream: Upstream, message: Envelope, downstream: Downstream) -> None:
            await conversation.relay.on_server_notification(upstream, message, downstream)

        for name, server in self._found.servers.items():
            if server.url:
                conversation.links.append(
                    HttpUpstream(
                        name,
                        server.url,
                        self._headers[name],
                        self._http,
                        asked=asked,
                        told=told,
                        standing=standing,
                        schema=lambda tool, name=name: conversation.relay.catalogue.schema(name, tool),  # type: ignore[misc]
                    )
                )
                continue
            plain = [f"{key}={value}" for key, value in server.env.items()]
            secret = [f"{key}={value}" for key, value in server.secrets.items()]
            kind = ProcessUpstream if session else SharedProcess
            process = kind(name, asked, told, standing)
            await process.start(server.command, references.environment(os.environ, plain, secret))
            conversation.links.append(process)
        conversation.relay = Relay(conversation.links, self._judge, self._pins, caller, self._options, seal=self._seal)
        return conversation
