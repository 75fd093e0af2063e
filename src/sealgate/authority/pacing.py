"""Slows background work down while decisions are made: both need the interpreter, and a decision has a deadline."""

import time
from collections.abc import Callable
from typing import Final

_STEPS: Final = 32
"""Steps between two looks at the clock: a few milliseconds of work."""

_BUSY_PER_S: Final = 200.0
"""Records made in a second, from which on work is slowed down."""

_SHARE: Final = 0.15
"""What is left to the work then. Under lasting load it falls behind, and catches up afterwards."""


class Pace:
    """Called once a step by one thread, which it makes sleep.

    Args:
        recorded: how many records the authority has made.
        clock: monotonic seconds.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        recorded: Callable[[], int],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._recorded, self._clock, self._sleep = recorded, clock, sleep
        self._steps = 0
        self._since, self._count = clock(), recorded()

    def step(self) -> None:
        """Take note of a step; sleep if it is time to."""
        self._steps += 1
        if self._steps % _STEPS:
            return
        worked = self._clock() - self._since
        made = self._recorded() - self._count
        if made > 1 + worked * _BUSY_PER_S:
            self._sleep(worked * (1 / _SHARE - 1))
        self._since, self._count = self._clock(), self._recorded()
