"""What happens to one message between a client and its servers.

A request of a client is answered here (what the gate itself knows), forwarded as it is (what neither acts nor reads),
or decided first. What a server asks back of the client goes the same way in the other direction. Whatever is not in a
table of ``methods`` goes nowhere.
"""

import asyncio
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from sealgate.gateway import envelope as envelopes
from sealgate.gateway import greeting, methods
from sealgate.gateway.approvals import StateSeal
from sealgate.gateway.asking import Asking, with_params
from sealgate.gateway.catalogue import Catalogue, fetch_all
from sealgate.gateway.envelope import Answer, Envelope, Id, failure
from sealgate.gateway.judging import Caller, Judge, Refused
from sealgate.gateway.links import ClientGone, Downstream, Upstream, UpstreamGone, cancelled
from sealgate.gateway.methods import Act
from sealgate.gateway.pins import Pins
from sealgate.gateway.refusals import refusal
from sealgate.model.errors import InputError, SealgateError
from sealgate.sdk.enforcement import Grant

_log = logging.getLogger("sealgate.gateway")

DEFAULT_TIMEOUT_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Options:
    """How a relay behaves.

    ``definitions``: whether the authority is told each tool's definition, which must then be the published one.
    """

    timeout_s: float = DEFAULT_TIMEOUT_S
    definitions: bool = True


class Relay:
    """One client and the servers it reaches. Lives as long as their conversation."""

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        judge: Judge,
        pins: Pins,
        caller: Caller,
        options: Options,
        *,
        seal: StateSeal | None = None,
    ) -> None:
        self._upstreams = {upstream.name: upstream for upstream in upstreams}
        self._judge = judge
        self._caller = caller
        self._options = options
        self.asking = Asking(judge, caller, seal or StateSeal())
        self._asked: dict[tuple[str, Id], Id] = {}
        self._ids = itertools.count(1)
        self.catalogue = Catalogue(list(self._upstreams.values()), pins)

    @property
    def _only(self) -> Upstream | None:
        return next(iter(self._upstreams.values())) if len(self._upstreams) == 1 else None

    # From the client

    async def on_request(self, message: Envelope, client: Downstream) -> Answer:
        """Answer a request of the client. Raises nothing but a cancellation."""
        try:
            return await self._answer(message, client)
        except InputError as error:
            await self._note(message, error.message)
            return failure(envelopes.INVALID_PARAMS, error.message)
        except SealgateError as error:
            _log.error("`%s` failed: %s", message.method[:64], error)  # one line is enough here
            return refusal(message, f"This was not run: {error.message}.")

    async def _answer(self, message: Envelope, client: Downstream) -> Answer:
        method = message.method
        if isinstance(message.id, str) and message.id.startswith(envelopes.OWN_PREFIX):
            raise InputError("the request's id belongs to the gate")
        if methods.is_modern(message) and method in methods.REMOVED:
            method = ""  # falls through to what is not offered
        if method == methods.CALL:
            return await self._call(message, client)
        if method in methods.LISTS:
            return await self._list(message, client)
        if method in methods.GATED:
            act = methods.act(method, message.params)
            upstream = await self._owner(message, client)
            return await self._gated(message, act, upstream, client)
        if method in methods.PLAIN:
            return await self._plain(message, client)
        await self._note(message, "unknown method")
        return failure(envelopes.METHOD_NOT_FOUND, f"method `{message.method[:64]}` is not offered through this gate")

    async def on_notification(self, message: Envelope) -> None:
        """Pass on a notification of the client; cancellations are for whoever runs the requests."""
        if message.method in methods.FROM_CLIENT and message.method != "notifications/cancelled":
            for upstream in self._upstreams.values():
                await upstream.tell(message)

    async def _plain(self, message: Envelope, client: Downstream) -> Answer:
        if message.method == "initialize":
            self.asking.capabilities = greeting.capabilities(message)
        only = self._only
        if only is not None:
            return await self._forward(message, only, client)
        if message.method == "ping":
            return {"result": {}}
        answers = [await self._forward(message, upstream, client) for upstream in self._upstreams.values()]
        if message.method in ("initialize", "server/discover"):
            return greeting.merged(dict(zip(self._upstreams, answers, strict=True)))
        return next((answer for answer in answers if "result" in answer), answers[0])

    async def _list(self, message: Envelope, client: Downstream) -> Answer:
        if message.params.get("cursor") is not None:
            raise InputError("the cursor is not known", hint="lists come whole")
        if message.method == "tools/list":
            await self.catalogue.refresh(message.meta, client, force=True)
            base, items = self.catalogue.base(), list(self.catalogue.shown(self._caller.visible))
        else:
            base, items = {}, []
            for upstream in self._upstreams.values():
                answer, found = await fetch_all(upstream, message.method, message.meta, client)
                if "error" in answer and self._only:
                    return answer
                base, items = base or answer.get("result", {}), items + found
        result = {key: value for key, value in base.items() if key != "nextCursor"}
        result[methods.LISTS[message.method]] = items
        if methods.is_modern(message):
            result = {"resultType": "complete", "ttlMs": 0, **result, "cacheScope": "private"}
        return {"result": result}

    # What is decided

    async def _call(self, message: Envelope, client: Downstream) -> Answer:
        act = methods.call(message.params)
        await self.catalogue.refresh(message.meta, client)
        entry = self.catalogue.find(act.tool)
        if entry is None:
            reason = self.catalogue.refusal(act.tool)
            await self._note(message, reason, act.tool)
            return refusal(message, f"`{act.tool[:200]}` cannot be used: {reason}. It was not run.")
        back = await self.asking.returned(message, act, entry)
        message = back.message
        if back.refused is not None:
            return back.refused
        digest = entry.digest if self._options.definitions else None
        grant: Grant | Refused | Answer = await self._decide(message, act, entry.upstream, digest)
        if isinstance(grant, Refused) and grant.ticket is not None:
            again = partial(self._decide, message, act, entry.upstream, digest)
            grant = await self.asking.ask(message, act, entry, grant, client, again, back.asked)
        if isinstance(grant, dict):
            return grant
        if isinstance(grant, Refused):
            return refusal(message, grant.text)
        if entry.name != act.tool:
            message = with_params(message, {**message.params, "name": entry.name})
        return await self._run(message, grant, entry.upstream, client)

    async def _gated(self, message: Envelope, act: Act | None, upstream: Upstream, client: Downstream) -> Answer:
        if act is None:
            return await self._forward(message, upstream, client)
        grant = await self._decide(message, act, upstream, None)
        if isinstance(grant, Refused):
            return refusal(message, grant.text)
        return await self._run(message, grant, upstream, client)

    async def _decide(self, message: Envelope, act: Act, upstream: Upstream, digest: str | None) -> Grant | Refused:
        trace = message.meta.get("traceparent")
        return await self._judge.before(act, upstream.name, self._caller, traceparent=trace, definition=digest)

    async def _run(self, message: Envelope, grant: Grant, upstream: Upstream, client: Downstream) -> Answer:
        """Forward a permitted request and report what became of it, whatever that is."""
        try:
            async with asyncio.timeout(self._options.timeout_s):
                answer = await upstream.ask(message, client)
        except TimeoutError:
            await upstream.tell(cancelled(message.id))
            await self._judge.ended(grant, "timed_out", f"no answer within {self._options.timeout_s:g} s")
            return refusal(message, f"The server did not answer within {self._options.timeout_s:g} s.")
        except UpstreamGone as error:
            await self._judge.ended(grant, "failed", error.message)
            return refusal(message, f"The server gave no answer: {error.message}. Whether it acted is not known.")
        except BaseException:
            await asyncio.shield(self._abandon(message, grant, upstream))
            raise
        output = envelopes.encode(answer)
        await self._judge.ran(grant, output, failed=_failed(answer))
        return await self._asked_back(message, answer, upstream)

    async def _abandon(self, message: Envelope, grant: Grant, upstream: Upstream) -> None:
        await upstream.tell(cancelled(message.id))
        await self._judge.ended(grant, "cancelled", "the caller no longer waits")

    async def _asked_back(self, message: Envelope, answer: Answer, upstream: Upstream) -> Answer:
        """Decide what a result asks back of the client (MRTR); one refusal refuses the whole."""
        for method, params in methods.input_requests(answer):
            act = methods.act(method, params) if method in methods.ASKED_BACK else None
            if act is None:
                return refusal(message, f"The server asks back for `{method[:64]}`, which is not offered here.")
            grant = await self._decide(message, act, upstream, None)
            if isinstance(grant, Refused):
                return refusal(message, grant.text)
            await self._judge.ran(grant, b"")
        return answer

    # From a server

    async def on_server_request(self, upstream: Upstream, message: Envelope, client: Downstream) -> Answer:
        """Answer a request of a server: ask the client, if that is permitted. Raises nothing but a cancellation."""
        if message.method == "ping":
            return {"result": {}}
        if message.method not in methods.ASKED_BACK or message.id is None:
            await self._note(message, "unknown method of a server", server=upstream.name)
            return failure(envelopes.METHOD_NOT_FOUND, f"method `{message.method[:64]}` is not offered here")
        try:
            act = methods.act(message.method, message.params)
        except InputError as error:
            return failure(envelopes.INVALID_PARAMS, error.message)
        if act is None:
            return failure(envelopes.METHOD_NOT_FOUND, "nothing is asked")
        grant = await self._decide(message, act, upstream, None)
        if isinstance(grant, Refused):
            return failure(envelopes.REFUSED, grant.text)
        return await self._ask_client(upstream, message, grant, client)

    async def _ask_client(self, upstream: Upstream, message: Envelope, grant: Grant, client: Downstream) -> Answer:
        mine: Id = f"{envelopes.OWN_PREFIX}{next(self._ids)}"
        key = (upstream.name, message.id or "")
        self._asked[key] = mine
        try:
            answer = await client.ask(Envelope("request", {**message.members, "id": mine}))
        except ClientGone as error:
            await self._judge.ended(grant, "failed", error.message)
            return failure(envelopes.REFUSED, error.message)
        except BaseException:
            await asyncio.shield(self._judge.ended(grant, "cancelled", "the server no longer waits"))
            raise
        finally:
            self._asked.pop(key, None)
        await self._judge.ran(grant, envelopes.encode(answer), failed=_failed(answer))
        return answer

    async def on_server_notification(self, upstream: Upstream, message: Envelope, client: Downstream) -> None:
        """Pass on a notification of a server, if it is a known one."""
        if message.method not in methods.FROM_SERVER:
            return
        if message.method == "notifications/tools/list_changed":
            self.catalogue.changed(upstream.name)
        if message.method == "notifications/cancelled":
            mine = self._asked.get((upstream.name, message.params.get("requestId", "")))
            if mine is None:
                return
            message = with_params(message, {**message.params, "requestId": mine})
        await client.tell(message)

    # Help

    async def _forward(self, message: Envelope, upstream: Upstream, client: Downstream) -> Answer:
        try:
            return await upstream.ask(message, client)
        except UpstreamGone as error:
            return refusal(message, f"The server gave no answer: {error.message}.")

    async def _owner(self, message: Envelope, client: Downstream) -> Upstream:
        """Return the server that a request other than a tool call is for."""
        only = self._only
        if only is not None:
            return only
        return await greeting.owner(message, list(self._upstreams.values()), client)

    async def _note(self, message: Envelope, reason: str, tool: str = "", server: str = "") -> None:
        await self._judge.note(message.method, tool, server, reason, self._caller)


def _failed(answer: Answer) -> str | None:
    """Return what the other side says went wrong, or None where nothing did."""
    if "error" in answer:
        return str(answer["error"].get("message", ""))[:2000]
    return "the tool reports an error" if answer["result"].get("isError") is True else None
