"""Whether an event loop may wait for the disk by itself: as long as the disk has not kept one waiting lately."""

from typing import Final

SLOW_S: Final = 0.005
"""Who waited longer shows a disk that no event loop should wait for, for a while."""

LEAST_S: Final = 0.1
MOST_S: Final = 10.0
"""The while: it doubles each time the disk is slow again soon after it. One slow sync among a thousand, as on every
shared disk, costs a tenth of a second; a disk that stays slow is tried every ten seconds."""


class Patience:
    """Monotonic seconds in, whether to wait out. Used by one thread."""

    def __init__(self) -> None:
        self._until = float("-inf")
        self._pause_s = LEAST_S

    def lasts(self, now: float) -> bool:
        """Tell whether the loop may wait now."""
        return now >= self._until

    def waited(self, started: float, ended: float) -> None:
        """Take in how long it waited."""
        if ended - started > SLOW_S:
            again = started - self._until < self._pause_s
            self._pause_s = min(2 * self._pause_s, MOST_S) if again else LEAST_S
            self._until = ended + self._pause_s
