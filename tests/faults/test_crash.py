"""Bar 6, scaled down: real processes killed under load, real system calls failed. See ``bench.crash``."""

import shutil

import pytest

from bench import crash

pytestmark = pytest.mark.timeout(600)


@pytest.mark.slow
def test_kill_9_loses_nothing():
    """Twelve lives of one log end at random moments."""
    part = crash.kill_at_random(12, seed=1)
    assert (part.points, part.lost, part.inconsistent, part.refused) == (12, 0, 0, [])
    assert part.acknowledged > 100
    assert part.signed > 3


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_every_failing_call_is_survived():
    """Each storage system call fails once early on, in each of three ways."""
    part = crash.fail_every_call(float("inf"), full=False, rounds=1)
    assert (part.lost, part.inconsistent, part.refused) == (0, 0, [])
    assert set(crash.CALLS) - {"unlink"} <= set(part.by_call)
    assert part.points >= 20


def test_the_checks_can_fail(tmp_path):
    """The positive control: a lost record and a foreign checkpoint are counted."""
    from bench.ledger_world import make, open_world

    make(tmp_path / "log")
    tally = crash.Tally()
    tally.take(b"a 0 " + b"00" * 32 + b"\nc 1 " + b"11" * 32 + b"\nc 2 cut")
    world = open_world(tmp_path / "log")
    world.close()
    assert crash._recovered(tmp_path / "log", tally, 0)
    assert tally.lost >= 1
    assert tally.inconsistent == 1
