"""Slows background work down while decisions are made: both need a processor, and a decision has a deadline."""

import time
from collections.abc import Callable
from typing import Final

_STEPS: Final = 32
"""Steps between two looks at the clock: a few milliseconds of work."""

_BUSY_PER_S: Final = 200.0
"""Records made in a second, from which on work is slowed down."""

_SHARE: Final = 0.15
"""What is left to the work then. Under lasting load it falls behind, and catches up afterwards."""

_SHARE_BESIDE: Final = 0.5
"""The same in a process beside: it takes no interpreter, but the processor that other helping processes need."""


class Pace:
    """Called once a step by one thread, which it makes sleep.

    Args:
        recorded: how many records the authority has made.
        clock: monotonic seconds.
        sleep: waits so many seconds.
        beside: another process does the work, and a step is a good part of a second.
    """

    def __init__(
        self,
        recorded: Callable[[], int],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        beside: bool = False,
    ) -> None:
        self._every, self._share = (1, _SHARE_BESIDE) if beside else (_STEPS, _SHARE)
        self._recorded, self._clock, self._sleep = recorded, clock, sleep
        self._steps = 0
        self._since, self._count = clock(), recorded()

    def step(self) -> None:
        """Take note of a step; sleep if it is time to."""
        self._steps += 1
        if self._steps % self._every:
            return
        worked = self._clock() - self._since
        made = self._recorded() - self._count
        if made > 1 + worked * _BUSY_PER_S:
            self._sleep(worked * (1 / self._share - 1))
        self._since, self._count = self._clock(), self._recorded()
