"""The life of ``sealgate mcp serve``: open the authority's client, listen, stop without leaving a process behind."""

import sys
from collections.abc import Callable
from pathlib import Path

import uvicorn

from sealgate.adapters.identity.api_keys import ApiKeys
from sealgate.adapters.identity.configured import assembled
from sealgate.gateway import remote, secrets
from sealgate.gateway.approvals import AuthorityApprovals, StateSeal
from sealgate.gateway.configuration import Gateway
from sealgate.gateway.consent import Consent, client
from sealgate.gateway.conversations import Conversations
from sealgate.gateway.endpoint import Endpoint
from sealgate.gateway.judging import Caller, Judge
from sealgate.gateway.listening import Connection, Listening, listener
from sealgate.gateway.pins import Pins
from sealgate.model.errors import UnavailableError
from sealgate.sdk.core import Core


def say(port: int) -> None:
    """Tell the person who started us where we listen."""
    print(f"sealgate: MCP gateway listens on port {port}", file=sys.stderr, flush=True)  # noqa: T201  # for the person


async def serve(found: Gateway, core: Core, pins: Pins, seal: StateSeal, *, ready: Callable[[int], None] = say) -> None:
    """Serve until a signal to stop.

    Raises:
        ConfigurationError: a secret or the listener cannot be had.
    """
    consent = None
    if found.consent is not None:
        key = secrets.resolve(found.consent.key).encode()
        consent = Consent(found.consent.people, key, client(core.settings))
    judge = Judge(core, AuthorityApprovals(core), consent)
    http = remote.client(found.timeout_s)
    conversations = Conversations(found, judge, pins, http, seal)
    api_keys = None if found.api_keys is None else ApiKeys(found.api_keys)
    resolver = assembled(found.callers, api_keys, found.client_ca or Path()) if found.asks_who else None

    async def note(reason: str, caller: Caller) -> None:
        await judge.note("(malformed)", "", "", reason, caller)

    config = uvicorn.Config(
        Endpoint(found, conversations, resolver, note),
        host=found.host,
        port=found.port,
        lifespan="off",
        loop="none",
        http=Connection,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
        limit_concurrency=1024,
    )
    server = Listening(config, listener(found), ready)
    try:
        await server.serve()
        if not server.started:
            raise UnavailableError(f"`{found.listen}` cannot be listened on")
    finally:
        await conversations.close()
        await judge.settled()
        await http.close()
        if consent is not None:
            await consent.http.aclose()
        await core.aclose()
