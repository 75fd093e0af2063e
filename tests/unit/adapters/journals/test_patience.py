"""How long an event loop keeps away from a disk that kept it waiting."""

from sealgate.adapters.journals.patience import LEAST_S, MOST_S, SLOW_S, Patience


def pauses(patience, waits, every_s):
    """Wait now and then, whenever the loop may, each time so long; return the pauses that follow."""
    now, found = 0.0, []
    for wait in waits:
        while not patience.lasts(now):
            now += 0.001
        patience.waited(now, now + wait)
        now += wait
        until = now
        while not patience.lasts(until):
            until += 0.001
        found.append(round(until - now, 2))
        now = max(now + every_s, until)
    return found


def test_a_quick_disk_is_always_waited_for():
    """A wait of exactly the bound is quick."""
    assert pauses(Patience(), [0.0001, SLOW_S], 0.001) == [0.0, 0.0]


def test_a_slow_sync_now_and_then_costs_the_least_pause():
    """One each second, as on a shared disk, never adds up."""
    assert pauses(Patience(), [0.02] * 20, 1.0) == [LEAST_S] * 20


def test_a_disk_that_stays_slow_is_tried_ever_more_seldom():
    """The pause doubles up to its bound; one quick time that lasts starts over."""
    patience = Patience()
    found = pauses(patience, [0.02] * 10, 0.0)

    assert found == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, MOST_S, MOST_S, MOST_S]
    assert pauses(patience, [0.0001], MOST_S + 1) == [0.0]
    patience.waited(1000.0, 1000.0 + 2 * SLOW_S)
    assert not patience.lasts(1000.0 + 2 * SLOW_S + LEAST_S - 0.01)
    assert patience.lasts(1000.0 + 2 * SLOW_S + LEAST_S)
