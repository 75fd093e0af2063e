"""One process for many clients of the protocol without sessions: their ids and tokens are made different."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from sealgate.gateway.envelope import Answer, Envelope, Members
from sealgate.gateway.links import Asked, Downstream, Told, Upstream, cancelled
from sealgate.gateway.methods import SUBSCRIPTION_KEY
from sealgate.gateway.process import ProcessUpstream


class SharedProcess:
    """A server's process behind several clients, who may use the same ids."""

    def __init__(self, name: str, asked: Asked, told: Told, standing: Downstream) -> None:
        self._ids = itertools.count(1)
        self._running: dict[str, tuple[Envelope, Downstream]] = {}

        async def route(upstream: Upstream, message: Envelope, downstream: Downstream) -> None:
            del upstream, downstream
            await self._route(message, told)

        self.process = ProcessUpstream(name, asked, route, standing)

    @property
    def name(self) -> str:
        """See Upstream."""
        return self.process.name

    async def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the process."""
        await self.process.start(command, environment)

    async def ask(self, request: Envelope, downstream: Downstream) -> Answer:
        """See Upstream."""
        mine = f"g{next(self._ids)}"
        members: Members = {**request.members, "id": mine}
        if "progressToken" in request.meta:
            members["params"] = {**request.params, "_meta": {**request.meta, "progressToken": mine}}
        self._running[mine] = (request, downstream)
        try:
            return await self.process.ask(Envelope("request", members), downstream)
        except asyncio.CancelledError:
            await asyncio.shield(self.process.tell(cancelled(mine)))
            raise
        finally:
            del self._running[mine]

    async def tell(self, message: Envelope) -> None:
        """See Upstream. Cancellations are told where the waiting ends: a client's id may be another client's too."""
        if message.method != "notifications/cancelled":
            await self.process.tell(message)

    async def _route(self, message: Envelope, told: Told) -> None:
        """Hand a notification to the client whose request it belongs to; what belongs to none goes nowhere."""
        token = message.params.get("progressToken") or message.meta.get(SUBSCRIPTION_KEY)
        request, downstream = self._running.get(str(token), (None, None))
        if request is None or downstream is None:
            if message.method == "notifications/tools/list_changed":
                await told(self, message, _Nobody())
            return
        params: dict[str, Any] = dict(message.params)
        if "progressToken" in params:
            params["progressToken"] = request.meta.get("progressToken")
        else:
            params["_meta"] = {**message.meta, SUBSCRIPTION_KEY: request.id}
        await told(self, Envelope("notification", {**message.members, "params": params}), downstream)

    async def stop(self) -> int:
        """End the process."""
        return await self.process.stop()


class _Nobody:
    async def ask(self, request: Envelope) -> Answer:
        """Refuse: there is nobody to ask."""
        del request
        return {"error": {"code": -32601, "message": "nobody can be asked"}}

    async def tell(self, message: Envelope) -> None:
        """Drop it."""
        del message
