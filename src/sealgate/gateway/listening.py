"""The gateway's listener: TLS by the authority's own rules, and what each connection proves handed to the application.

SIGHUP reads certificate, key and authorities again; open connections keep what they have, and with bad files nothing
changes.
"""

import asyncio
import logging
import signal
import ssl
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sealgate.adapters.identity.configured import authorities_of
from sealgate.gateway.configuration import Gateway
from sealgate.model.errors import ConfigurationError
from sealgate.ports.identity import Peer
from sealgate.server.listeners import HttpsListener, tls_context
from sealgate.server.peers import peer_of

_log = logging.getLogger("sealgate.gateway")

PEER: Final = "sealgate.peer"
"""Where the application finds what a connection proves, in the state of the ASGI scope."""


class Connection(HttpToolsProtocol):
    """One connection. What it proves is looked at once, and stands for the connection too."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Note what the connection proves."""
        super().connection_made(transport)
        proved = peer_of(transport)
        self.app_state = {**self.app_state, PEER: Peer(certificate=proved.certificate, chain=proved.chain)}


class RenewableContext(ssl.SSLContext):
    """TLS settings that can be exchanged while a server listens: each new connection takes the newest."""

    newest: ssl.SSLContext

    @classmethod
    def around(cls, context: ssl.SSLContext) -> "RenewableContext":
        """Return one that begins with ``context``."""
        made = cls(ssl.PROTOCOL_TLS_SERVER)
        made.newest = context
        return made

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """Begin a connection."""
        return self.newest.wrap_bio(*arguments, **options)


class Listening(uvicorn.Server):
    """The server: says where it listens once it does, reloads on SIGHUP."""

    def __init__(self, config: uvicorn.Config, listener: HttpsListener | None, ready: Callable[[int], None]) -> None:
        super().__init__(config)
        self._listener = listener
        self._ready = ready
        if listener is not None:
            config.load()
            config.ssl = RenewableContext.around(tls_context(listener))

    async def startup(self, sockets: object = None) -> None:
        """Listen."""
        await super().startup(sockets)  # type: ignore[arg-type]  # None in our use
        if self.started:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload)
            self._ready(self.servers[0].sockets[0].getsockname()[1])

    def reload(self) -> None:
        """Read the TLS files again."""
        if self._listener is None or not isinstance(self.config.ssl, RenewableContext):
            return
        try:
            self.config.ssl.newest = tls_context(self._listener)
        except ConfigurationError as error:
            _log.error("certificates not reloaded: %s", error)  # one line is enough here


def listener(found: Gateway) -> HttpsListener | None:
    """Return the HTTPS listener of a configuration, or None where it serves this machine without TLS."""
    if found.certificate is None or found.key is None:
        return None
    return HttpsListener(
        found.host,
        found.port,
        found.certificate,
        found.key,
        found.client_ca,
        found.client_certificate,
        found.minimum_tls,
        (lambda: authorities_of(found.callers.spiffe)) if found.callers.spiffe else None,
    )
