"""The thread that ships items while the agent works.

It is a daemon and needs no goodbye: what it has not sent is on disk, and the next process sends it. After a failure it
waits with growing pauses, at random up to their full length, so that many agents do not come back in step; a
``Retry-After`` of the collector is kept. Before the interpreter ends it gets one second for what is left.
"""

import atexit
import os
import random
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final

from sealgate.model.errors import SealgateError
from sealgate.sdk import itemspool
from sealgate.sdk.itemspool import ItemSpool
from sealgate.sdk.sealing import load_key
from sealgate.sdk.shipping import Send, Shipment

FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 30.0
LINGER_S: Final = 0.05
"""How long the thread waits for more items to make a batch of, in seconds."""

EXIT_S: Final = 1.0
"""What the interpreter's end waits for deliveries, in seconds."""

_IDLE_S: Final = 30.0

Wait = Callable[[threading.Event, float], object]
"""(event, seconds) → wait for it, at most so long."""


def _wait(event: threading.Event, seconds: float) -> object:
    return event.wait(seconds)


class Shipper:
    """Ships one spool in the background. Safe to use from many threads, and after a fork.

    Args:
        spool: what is shipped.
        send: a blocking transport's ``send``.
        wait: how to wait; a test may make time pass faster.
        linger_s: see ``LINGER_S``.
    """

    def __init__(self, spool: ItemSpool, send: Send, *, wait: Wait = _wait, linger_s: float = LINGER_S) -> None:
        self.spool = spool
        self._send = send
        self._wait = wait
        self._linger_s = linger_s
        self._begin()
        _every.add(self)

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._shipping = threading.Lock()
        self._shipment = Shipment(self.spool, self._send)
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._pausing = False
        self._thread: threading.Thread | None = None

    def forked(self) -> None:
        """In a child there is no thread of ours, locks may be locked, and adopted files stay the parent's."""
        self._shipment.close()
        self._begin()

    def notify(self) -> None:
        """Tell that there is something to ship."""
        self._wake.set()
        thread = self._thread
        if thread is not None and thread.is_alive():
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._ended = threading.Event()
                self._thread = threading.Thread(
                    target=self._work, args=(self._ended,), name="sealgate-shipper", daemon=True
                )
                try:
                    self._thread.start()
                except RuntimeError:  # the interpreter is ending: what waits is on disk
                    self._thread = None

    def _work(self, ended: threading.Event) -> None:
        pause = FIRST_PAUSE_S
        while not ended.is_set():
            self._wait(self._wake, _IDLE_S)
            self._wake.clear()
            ended.wait(self._linger_s)
            try:
                with self._shipping:
                    self._shipment.ship()
                pause = FIRST_PAUSE_S
            except Exception as error:  # noqa: BLE001  # a broken disk must not end the deliveries; append reports it to callers
                # New items do not shorten the pause: they would fail like those before them.
                self._pausing = True
                self._wait(ended, max(_retry_after(error), pause * random.uniform(0.5, 1.0)))  # noqa: S311  # spreads load
                self._pausing = False
                pause = min(pause * 2, LONGEST_PAUSE_S)
                self._wake.set()

    def flush(self, timeout_s: float = 0.0) -> int:
        """Send what waits and return how many items still wait, after at most about ``timeout_s`` of trying again."""
        deadline = time.monotonic() + timeout_s
        pause = FIRST_PAUSE_S / 5
        while True:
            try:
                with self._shipping:
                    self._shipment.ship(look=True)
            except SealgateError:
                pass
            left = self.waiting()
            if left == 0 or time.monotonic() + pause > deadline:
                return left
            time.sleep(pause)
            pause = min(pause * 2, 1.0)

    def waiting(self) -> int:
        """Return how many items wait, those of other processes included."""
        folder = self.spool.folder
        return itemspool.waiting(folder, load_key(self.spool.parent)) if folder.is_dir() else 0

    def close(self, timeout_s: float = 0.0) -> int:
        """End the thread, send what waits if the collector takes it at once, and return how many items still wait."""
        with self._lock:
            thread, self._thread = self._thread, None
        self._ended.set()
        self._wake.set()
        left = self.flush(timeout_s) if thread is not None else self.waiting()
        with self._shipping:
            self._shipment.release()
            self._shipment.close()
            self.spool.leave()
        return left

    def last_moment(self) -> None:
        """Before the interpreter ends: let the thread finish if it is not waiting for a collector that is away."""
        deadline = time.monotonic() + EXIT_S
        while self._thread is not None and not self._pausing and time.monotonic() < deadline:
            if not self.spool.undelivered():
                with self._shipping:
                    self._shipment.release()
                return
            time.sleep(0.01)


def _retry_after(error: Exception) -> float:
    return min(getattr(error, "retry_after_s", 0.0), LONGEST_PAUSE_S)


_every: "Final[weakref.WeakSet[Shipper]]" = weakref.WeakSet()


def _after_fork() -> None:
    for shipper in list(_every):
        shipper.forked()


def _at_exit() -> None:
    for shipper in list(_every):
        shipper.last_moment()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
