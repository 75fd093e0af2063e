"""Where queries run: a few threads, a short queue, a deadline. A heavy query is its asker's problem alone."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from sealgate.evidence.stopping import Stop
from sealgate.model.errors import NotPermittedError, UnavailableError

T = TypeVar("T")


class Lane:
    """Runs blocking questions. Owned by one event loop."""

    def __init__(self, *, threads: int, waiting: int, timeout_s: float) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="query")
        self._most = threads + waiting
        self._timeout_s = timeout_s
        self._stops: set[Stop] = set()
        self.refused = 0
        self.too_long = 0

    @property
    def under_way(self) -> int:
        """How many questions run or wait for a thread."""
        return len(self._stops)

    async def run(self, question: Callable[[], T], *, timeout_s: float | None = None) -> T:
        """Return what the question returns, from a thread.

        Where it is given up, or nobody waits for it any more, it is told to stop, and counts until it has.

        Raises:
            UnavailableError: too many questions wait already.
            NotPermittedError: it took too long, the time until a thread was free included.
        """
        if self.under_way >= self._most:
            self.refused += 1
            raise UnavailableError("too many questions are under way", hint="ask again in a moment")
        limit_s = timeout_s or self._timeout_s
        stop = Stop()
        job = self._pool.submit(stop.run, question)
        self._stops.add(stop)
        running = asyncio.wrap_future(job)
        running.add_done_callback(partial(self._ended, stop))
        try:
            return await asyncio.wait_for(asyncio.shield(running), limit_s)
        except TimeoutError as error:
            self.too_long += 1
            hint = "ask for less time, one agent, or a smaller limit"
            message = f"the question took more than {limit_s:g} s"
            raise NotPermittedError(message, code="query-too-long", hint=hint) from error
        finally:
            if not running.done() and not job.cancel():  # which only a question does that has not begun
                stop.tell()

    def _ended(self, stop: Stop, running: "asyncio.Future[T]") -> None:
        self._stops.discard(stop)
        with contextlib.suppress(asyncio.CancelledError):
            running.exception()  # looked at, so that a question nobody waits for any more leaves no warning

    def close(self) -> None:
        """Tell running questions to stop, start none."""
        for stop in self._stops:
            stop.tell()
        self._pool.shutdown(wait=False, cancel_futures=True)
