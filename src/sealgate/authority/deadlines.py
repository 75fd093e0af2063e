"""Deadlines of many waiters with one timer: a timer of its own for each decision would cost more than the decision."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

_TICK_S: Final = 0.01
"""How late a deadline may be noticed."""


class Deadlines:
    """Gives up on futures whose time is over. One event loop owns it."""

    def __init__(self, give_up: Callable[[asyncio.Future[Any]], None]) -> None:
        self._give_up = give_up
        self._waiting: list[tuple[float, asyncio.Future[Any]]] = []
        self._ticking = False

    def watch(self, future: asyncio.Future[Any], seconds: float) -> None:
        """Call ``give_up(future)`` once if it is not done within ``seconds``, at most a tick later."""
        loop = future.get_loop()
        self._waiting.append((loop.time() + seconds, future))
        if not self._ticking:
            self._ticking = True
            loop.call_later(_TICK_S, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        waiting = []
        for deadline, future in self._waiting:
            if future.done():
                continue
            if deadline <= now:
                self._give_up(future)
            else:
                waiting.append((deadline, future))
        self._waiting = waiting
        self._ticking = bool(waiting)
        if waiting:
            loop.call_later(_TICK_S, self._tick, loop)
