"""Time from outside."""

from typing import Protocol


class Clock(Protocol):
    """Tells the time. May be called from any thread; never blocks."""

    def unix_ms(self) -> int:
        """Return Unix time in milliseconds. May step in either direction; callers decide what that means."""

    def monotonic_s(self) -> float:
        """Return seconds that never go backwards, for deadlines."""
