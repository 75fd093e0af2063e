"""One helping process: a module of ours at the other end of a socket pair, that the authority can do without.

It is given nothing in arguments, environment or files; what it works with is sent to it. When it dies or answers what
it was not asked, its owner is told and goes on alone; it is started again once, after that never by itself: what dies
twice had better be looked at. It ends when its asker does, as its stream then ends.
"""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from typing import Final, Protocol

from sealgate.adapters.children import frames

_LOG = logging.getLogger(__name__)
_MAX_STARTS: Final = 2
_KEPT: Final = frozenset({"PATH", "LANG", "LD_LIBRARY_PATH"})
_KEPT_PREFIXES: Final = ("PYTHON", "LC_")


class Owner(Protocol):
    """Who asks. Everything runs on the event loop's thread."""

    def ready(self) -> None:
        """The process runs: send it what it needs."""

    def received(self, payload: bytes) -> None:
        """Take in a message. Whatever this raises ends the process."""

    def lost(self) -> None:
        """The process is gone: answer what is open."""


class Child:
    """Keeps the process of one ``module`` for its owner. ``name`` is for the operator."""

    def __init__(self, module: str, name: str, owner: Owner) -> None:
        self._module = module
        self._name = name
        self._owner = owner
        self._starts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._starting: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def running(self) -> bool:
        """Whether there is somebody to send to."""
        return self._transport is not None

    def start(self) -> None:
        """Start the process unless it runs or is being started; ``ready`` follows."""
        if self._transport is None and self._starting is None and not self._closed:
            self._starting = asyncio.get_running_loop().create_task(self._start())

    def send(self, payload: bytes) -> None:
        """Send one message; to nobody where nobody runs, as ``lost`` was or ``ready`` will be called."""
        if self._transport is not None:
            self._transport.write(frames.frame(payload))

    async def _start(self) -> None:
        self._starts += 1
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            # Our own module, found as we were found and not in the folder we happen to be in (-P).
            self.process = subprocess.Popen(  # noqa: ASYNC220, S603  # starting takes a fork's time
                [sys.executable, "-P", "-m", self._module, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environment(),
            )
        except OSError as error:  # no memory, no process left: then without
            _LOG.warning("no %s can be started: %s", self._name, error.strerror)
            ours.close()
            self._starting = None
            return
        finally:
            theirs.close()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: frames.Cutter(self._owner.received, self._lost), sock=ours)
        self._starting = None
        if self._closed:
            transport.close()
            self._end()
            return
        self._transport = transport
        self._owner.ready()

    def _lost(self) -> None:
        self._transport = None
        self._owner.lost()
        if self._closed:
            return
        self._end()
        _LOG.warning("the %s ended; decisions go on without it", self._name)
        if self._starts < _MAX_STARTS:
            self.start()

    def close(self) -> None:
        """End the process, for good. It holds nothing that would have to be saved."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()
        self._end()

    def _end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def environment() -> dict[str, str]:
    """Return what an interpreter needs of our environment: passphrases and PINs may be in the rest."""
    return {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
