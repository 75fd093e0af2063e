"""All open connections of an authority: how many there may be, which of them asks, when they have lasted too long."""

import asyncio
from email.utils import formatdate
from typing import Final

from . import bounds
from .application import Application
from .connection import Connection

_CROWD_S: Final = 0.02
"""Who asks within this time after another connection is one of many, which are answered in groups."""


class Connections:
    """All open connections of all listeners."""

    def __init__(
        self, application: Application, loop: asyncio.AbstractEventLoop, *, max_open: int = bounds.MAX_CONNECTIONS
    ) -> None:
        self.application = application
        self.loop = loop
        self.open: set[Connection] = set()
        self.stopping = False
        self.all_closed = asyncio.Event()
        """Set once the last connection is gone after ``stop``."""
        self.max_open = max_open
        self.date = _date()
        self._last: Connection | None = None
        self._asked_at = 0.0

    def alone(self, connection: Connection) -> bool:
        """Take note that a connection asks; tell whether no other has asked for a moment."""
        now = self.loop.time()
        alone = self._last is connection or now - self._asked_at > _CROWD_S
        self._last, self._asked_at = connection, now
        return alone

    def protocol(self) -> Connection:
        """Make the protocol of a new connection."""
        return Connection(self)

    def forget(self, connection: Connection) -> None:
        """Take note that a connection is gone."""
        self.open.discard(connection)
        if self._last is connection:
            self._last = None

    def sweep(self) -> None:
        """Close every connection whose phase has lasted too long. To be called once a second."""
        self.date = _date()
        now = self.loop.time()
        for connection in list(self.open):
            connection.check_deadline(now)

    def stop(self) -> None:
        """Let each connection end: idle ones now, busy ones with the answer they are waiting for."""
        self.stopping = True
        for connection in list(self.open):
            connection.stop()
        self.check_all_closed()

    def check_all_closed(self) -> None:
        """Notice that the last connection is gone."""
        if self.stopping and not self.open:
            self.all_closed.set()

    def abort(self) -> None:
        """Drop every connection."""
        for connection in list(self.open):
            connection.abort()


def _date() -> bytes:
    return formatdate(usegmt=True).encode()
