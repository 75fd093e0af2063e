"""Giving up on a process that is late, without a timer for each question."""

import asyncio
from collections.abc import Callable


class Watch:
    """Tells when questions have been open for a while: at least ``patience_s``, at most twice that.

    Questions have growing numbers. ``overdue`` is called with a number: that question and those before it were asked
    so long ago; it gives up on the ones still open, and returns whether newer ones are. One timer runs while any is.
    """

    def __init__(self, patience_s: float, overdue: Callable[[int], bool]) -> None:
        self._patience_s = patience_s
        self._overdue = overdue
        self._newest = 0
        self._watching = False

    def asked(self, number: int) -> None:
        """A question was asked."""
        self._newest = number
        if not self._watching:
            self._watching = True
            self._later()

    def _later(self) -> None:
        asyncio.get_running_loop().call_later(self._patience_s, self._look, self._newest)

    def _look(self, newest: int) -> None:
        self._watching = self._overdue(newest)
        if self._watching:
            self._later()
