"""Where queries run: a few threads, a short queue, a deadline. A heavy query is its asker's problem alone."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sealgate.model.errors import NotPermittedError, UnavailableError

T = TypeVar("T")


class Lane:
    """Runs blocking questions. Owned by one event loop."""

    def __init__(self, *, threads: int, waiting: int, timeout_s: float, interrupt: Callable[[], None] | None) -> None:
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="query")
        self._most = threads + waiting
        self._timeout_s = timeout_s
        self._interrupt = interrupt
        self.under_way = 0
        self.refused = 0
        self.too_long = 0

    async def run(self, question: Callable[[], T], *, timeout_s: float | None = None) -> T:
        """Return what the question returns, from a thread.

        Raises:
            UnavailableError: too many questions wait already.
            NotPermittedError: it took too long; its thread is told to stop and counts until it has.
        """
        if self.under_way >= self._most:
            self.refused += 1
            raise UnavailableError("too many questions are under way", hint="ask again in a moment")
        limit_s = timeout_s or self._timeout_s
        self.under_way += 1
        running = asyncio.get_running_loop().run_in_executor(self._pool, question)
        running.add_done_callback(self._ended)
        try:
            return await asyncio.wait_for(asyncio.shield(running), limit_s)
        except TimeoutError as error:
            self.too_long += 1
            if self._interrupt is not None:
                self._interrupt()
            hint = "ask for less time, one agent, or a smaller limit"
            message = f"the question took more than {limit_s:g} s"
            raise NotPermittedError(message, code="query-too-long", hint=hint) from error

    def _ended(self, running: "asyncio.Future[T]") -> None:
        self.under_way -= 1
        with contextlib.suppress(asyncio.CancelledError):
            running.exception()  # looked at, so that a question nobody waits for any more leaves no warning

    def close(self) -> None:
        """Let running questions end by themselves, start none."""
        if self._interrupt is not None and self.under_way:
            self._interrupt()
        self._pool.shutdown(wait=False, cancel_futures=True)
