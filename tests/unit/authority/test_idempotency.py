"""Remembered request ids: bounded by time and number."""

from sealgate.authority.idempotency import Remembered


def test_found_until_the_window_ends():
    """A request is found within the window and forgotten after it."""
    remembered = Remembered(window_ms=100)
    key = Remembered.key("a", "r1")
    remembered.remember(key, 7, 1000)

    remembered.remember(Remembered.key("a", "r2"), 8, 1100)
    assert remembered.find(key) == 7
    remembered.remember(Remembered.key("a", "r3"), 9, 1101)
    assert remembered.find(key) is None


def test_number_is_bounded():
    """Beyond the limit the oldest go first."""
    remembered = Remembered(window_ms=1_000_000, limit=3)
    for number in range(5):
        remembered.remember(Remembered.key("a", str(number)), number, number)

    assert len(remembered) == 3
    assert remembered.find(Remembered.key("a", "1")) is None
    assert remembered.find(Remembered.key("a", "4")) == 4


def test_agents_do_not_collide():
    """The same id of another agent is another request."""
    assert Remembered.key("a", "b") != Remembered.key("b", "a")
