"""The life of ``sealgate mcp serve``: open the authority's client, listen, stop without leaving a process behind."""

import sys
from collections.abc import Callable

import uvicorn

from sealgate.adapters.identity.api_keys import ApiKeys
from sealgate.gateway import remote
from sealgate.gateway.approvals import AuthorityApprovals
from sealgate.gateway.configuration import Gateway
from sealgate.gateway.conversations import Conversations
from sealgate.gateway.endpoint import Endpoint
from sealgate.gateway.judging import Caller, Judge
from sealgate.gateway.pins import Pins
from sealgate.model.errors import UnavailableError
from sealgate.sdk.core import Core


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[int], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: object = None) -> None:
        """Say where we listen once we do."""
        await super().startup(sockets)  # type: ignore[arg-type]  # None in our use
        if self.started:
            self._ready(self.servers[0].sockets[0].getsockname()[1])


def say(port: int) -> None:
    """Tell the person who started us where we listen."""
    print(f"sealgate: MCP gateway listens on port {port}", file=sys.stderr, flush=True)  # noqa: T201  # for the person


async def serve(found: Gateway, core: Core, pins: Pins, *, ready: Callable[[int], None] = say) -> None:
    """Serve until a signal to stop.

    Raises:
        ConfigurationError: a secret or the listener cannot be had.
    """
    judge = Judge(core, AuthorityApprovals(core))
    http = remote.client(found.timeout_s)
    conversations = Conversations(found, judge, pins, http)
    identify = None if found.api_keys is None else ApiKeys(found.api_keys).identify

    async def note(reason: str, caller: Caller) -> None:
        await judge.note("(malformed)", "", "", reason, caller)

    config = uvicorn.Config(
        Endpoint(found, conversations, identify, note),
        host=found.host,
        port=found.port,
        ssl_certfile=found.certificate,
        ssl_keyfile=found.key,
        lifespan="off",
        loop="none",
        http="httptools",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
        limit_concurrency=1024,
    )
    server = _Server(config, ready)
    try:
        await server.serve()
        if not server.started:
            raise UnavailableError(f"`{found.listen}` cannot be listened on")
    finally:
        await conversations.close()
        await http.aclose()
        await core.aclose()
