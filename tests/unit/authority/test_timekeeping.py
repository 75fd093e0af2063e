"""Record time: monotone, bridged for small steps back, refused for large ones."""

import pytest

from sealgate.authority.timekeeping import Timekeeper, rfc3339
from sealgate.model.errors import UnavailableError


class SetClock:
    """A clock that tells what it was set to."""

    def __init__(self, now):
        self.now = now

    def unix_ms(self):
        """Tell the set time."""
        return self.now

    def monotonic_s(self):
        """Tell the set time in seconds."""
        return self.now / 1000


def test_small_steps_back_stand_still():
    """Within the tolerance the time stands still until the clock catches up."""
    clock = SetClock(10_000)
    time = Timekeeper(clock, tolerance_ms=2000)
    assert time.now_ms() == 10_000

    clock.now = 8_000
    assert time.now_ms() == 10_000
    clock.now = 10_001
    assert time.now_ms() == 10_001


def test_large_steps_back_are_refused_until_the_clock_catches_up():
    """Beyond the tolerance there is no time for a record; it resumes by itself."""
    clock = SetClock(10_000)
    time = Timekeeper(clock, tolerance_ms=2000, last_ms=10_000)

    clock.now = 7_999
    with pytest.raises(UnavailableError, match="went back"):
        time.now_ms()
    clock.now = 10_000
    assert time.now_ms() == 10_000


def test_text_equals_rfc3339():
    """The cached form is the plain one, across seconds and back."""
    time = Timekeeper(SetClock(0))

    for unix_ms in (0, 999, 1000, 1_790_000_000_123, 1_790_000_000_999, 5):
        assert time.text(unix_ms) == rfc3339(unix_ms)
    assert rfc3339(1_790_000_000_123) == "2026-09-21T14:13:20.123Z"
