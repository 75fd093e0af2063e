"""Time as records need it: never backwards, and refused when the clock lies."""

from datetime import UTC, datetime
from typing import Final

from sealgate.model.errors import UnavailableError
from sealgate.ports.clock import Clock

DEFAULT_TOLERANCE_MS: Final = 2_000
"""A backward step up to this is bridged by standing still, as a time daemon's small corrections are."""

_SECONDS_REMEMBERED: Final = 16


def rfc3339(unix_ms: int) -> str:
    """Return RFC 3339 UTC with milliseconds and ``Z``."""
    return datetime.fromtimestamp(unix_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{unix_ms % 1000:03d}Z"


class Timekeeper:
    """Gives the times of records: monotone, at most ``tolerance_ms`` ahead of the clock.

    ``last_ms`` is the time of the newest record known, so that a clock that was set back before a start is noticed.
    """

    def __init__(self, clock: Clock, *, tolerance_ms: int = DEFAULT_TOLERANCE_MS, last_ms: int = 0) -> None:
        self._clock = clock
        self._tolerance_ms = tolerance_ms
        self.last_ms = last_ms
        self._prefixes: dict[int, str] = {}

    def now_ms(self) -> int:
        """Return the time for the next record.

        Raises:
            UnavailableError: the clock is further behind the newest record than the tolerance.
        """
        now = self._clock.unix_ms()
        if now < self.last_ms:
            if now < self.last_ms - self._tolerance_ms:
                raise UnavailableError(
                    f"the clock went back {self.last_ms - now} ms",
                    hint="correct the system clock; decisions resume when it passes the newest record",
                )
            return self.last_ms
        self.last_ms = now
        return now

    def text(self, unix_ms: int) -> str:
        """Return ``rfc3339(unix_ms)``, remembering the texts of a few seconds (now, an expiry, a due time)."""
        second = unix_ms // 1000
        prefix = self._prefixes.get(second)
        if prefix is None:
            if len(self._prefixes) >= _SECONDS_REMEMBERED:
                self._prefixes.clear()
            prefix = self._prefixes[second] = rfc3339(second * 1000)[:-4]
        return f"{prefix}{unix_ms % 1000:03d}Z"

    def monotonic_s(self) -> float:
        """Return the clock's monotonic seconds."""
        return self._clock.monotonic_s()
