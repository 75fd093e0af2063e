"""A helping process that a thread waits for: one message out, one answer back.

As ``process``, for work that belongs to no event loop. It is given nothing in arguments, environment or files, and
ends at once when its asker does: also in the middle of its work, as the end of a pipe tells it.
"""

import contextlib
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Final

from sealgate.adapters.children import frames
from sealgate.adapters.children.process import environment

_LOG = logging.getLogger(__name__)
_MAX_STARTS: Final = 2


class ChildLostError(Exception):
    """Nobody runs, or no answer came; whoever ran is ended."""


class WaitingChild:
    """Keeps the process of one ``module`` for one thread. ``inherited`` descriptors stay open as long as it runs."""

    def __init__(self, module: str, name: str, *, patience_s: float, inherited: Sequence[int] = ()) -> None:
        self._module = module
        self._name = name
        self._patience_s = patience_s
        self._inherited = tuple(inherited)
        self._starts = 0
        self._connection: socket.socket | None = None
        self._lifeline = -1
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> bool:
        """Start the process unless it runs; tell whether it does. What was given up twice is not started again."""
        if self._connection is not None:
            return True
        if self._starts >= _MAX_STARTS:
            return False
        self._starts += 1
        ours, theirs = socket.socketpair()
        life, self._lifeline = os.pipe()
        descriptors = [theirs.fileno(), life]
        try:
            # Our own module, found as we were found and not in the folder we happen to be in (-P).
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", self._module, *map(str, descriptors)],
                pass_fds=[*descriptors, *self._inherited],
                stdin=subprocess.DEVNULL,
                env=environment(),
            )
        except OSError as error:  # no memory, no process left: then without
            _LOG.warning("no %s can be started: %s", self._name, error.strerror)
            ours.close()
            os.close(self._lifeline)
            return False
        finally:
            theirs.close()
            os.close(life)
        ours.settimeout(self._patience_s)
        self._connection = ours
        return True

    def ask(self, payload: bytes) -> bytes:
        """Send a message, wait for its answer.

        Raises:
            ChildLostError: there is none.
        """
        connection = self._connection
        if connection is None:
            raise ChildLostError
        answer = None
        with contextlib.suppress(OSError, ValueError):
            connection.sendall(frames.frame(payload))
            with connection.makefile("rb") as stream:
                answer = frames.read(stream)
        if answer is None:
            self.close()
            _LOG.warning("the %s ended or did not answer; its work goes on without it", self._name)
            raise ChildLostError
        return answer

    def rest(self) -> None:
        """End a process that did well, until there is work again: its start does not count. Idempotent."""
        if self._connection is not None:
            self._starts -= 1
            self.close()

    def close(self) -> None:
        """End the process. It holds nothing that would have to be saved. Idempotent."""
        if self._connection is None:
            return
        self._connection.close()
        self._connection = None
        os.close(self._lifeline)
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def end_with(lifeline: int) -> None:
    """In the helping process: end it, whatever it is doing, when the other end of this pipe is closed."""

    def wait() -> None:
        os.read(lifeline, 1)
        os._exit(0)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
