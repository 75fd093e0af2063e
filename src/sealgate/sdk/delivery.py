"""Getting reports to the authority: at once if it listens, else through the spool, in order.

While reports wait, new ones queue up behind them, and a background thread tries again with growing pauses. The thread
is a daemon and needs no goodbye: what it has not sent is on disk, and the next process sends it.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Final

from sealgate.model.errors import SealgateError
from sealgate.sdk import flows
from sealgate.sdk.answers import Answer, Recorded
from sealgate.sdk.errors import AuthorityUnreachable, RequestRefused, SpoolUnusable
from sealgate.sdk.spool import Spool
from sealgate.sdk.transport import Call

_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 30.0

_TRY_LATER: Final = frozenset({401, 403, 408, 425, 429})
"""Refusals that a repaired key, right or load may cure; every other 4xx would be the same for ever."""

WAITS: Final = Recorded(None, None)


class Courier:
    """Delivers the reports of one client. Safe to use from many threads.

    Args:
        spool: where reports wait.
        send: a blocking transport's ``send``, for the background thread.
    """

    def __init__(self, spool: Spool, send: Callable[[Call], Answer]) -> None:
        self.spool = spool
        self._send = send
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._process = 0
        self._waiting = False  # whether the spool may hold something; the folder is looked at once a process

    def prepare(self) -> None:
        """Before anything runs: make sure that its outcome would find a place, and send what an earlier process left.

        Raises:
            SpoolUnusable: it would find none, so nothing new may run.
        """
        if self._process != os.getpid():
            self._process = os.getpid()  # a forked child has no thread of ours, and may have copied a locked lock
            self._lock = threading.Lock()
            self._thread = None
            self._waiting = False
            try:
                self.spool.prepare()
                left_over = self.spool.count()
            except SealgateError as error:
                self._process = 0  # look again next time
                raise SpoolUnusable(error.message, hint=error.hint or "set SEALGATE_SPOOL to a folder") from error
            if left_over:
                self._start()
        if self._waiting:
            self.spool.require_room()

    def deliver(self, call: Call) -> flows.Flow[Recorded]:
        """Send a report, or make it durable here. Returns only when one of both is done.

        Raises:
            RequestRefused: the authority will never take it.
            UnavailableError: it could be neither sent nor spooled.
        """
        if self._waiting:
            self._put(call)
            return WAITS
        try:
            return (yield from flows.record(call))
        except RequestRefused as error:
            if error.status not in _TRY_LATER:
                raise
            self._put(call)
            return WAITS
        except AuthorityUnreachable:
            self._put(call)
            return WAITS
        except (
            BaseException
        ):  # cancelled while it was under way: it may have arrived, the request id makes that harmless
            self._put(call)
            raise

    def _put(self, call: Call) -> None:
        self.spool.append(call)
        self._start()

    def _start(self) -> None:
        with self._lock:
            self._waiting = True
            self._wake.set()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="sealgate-courier", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            self._wake.clear()
            try:
                left = self.flush()
            except Exception:  # noqa: BLE001  # a broken disk must not end the deliveries; append reports it to callers
                left = 1
            if left == 0 and self._finished():
                return
            # A new report does not shorten the pause: it would fail like the one before it.
            if left:
                time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S) if left else _FIRST_PAUSE_S

    def _finished(self) -> bool:
        with self._lock:
            if self._wake.is_set():  # something was appended after the folder was read
                return False
            self._waiting = False
            self._thread = None
            return True

    def flush(self) -> int:
        """Send what waits, oldest first, and return how many still wait."""
        with self.spool.sending() as mine:
            if mine:
                self._flush()
        return self.spool.count()

    def _flush(self) -> None:
        for report in self.spool.waiting():
            try:
                flows.run(flows.record(report.call), self._send)
            except RequestRefused as error:
                if error.status in _TRY_LATER:
                    return
                self.spool.refuse(report.path)
            except AuthorityUnreachable:
                return
            else:
                self.spool.remove(report.path)
