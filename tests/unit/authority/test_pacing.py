"""Background work gives way to decisions, and to nothing else."""

from sealgate.authority.pacing import Pace


class World:
    """A clock that work moves, and an authority that makes records all the time."""

    def __init__(self, per_s):
        self.now, self.slept, self.per_s = 0.0, 0.0, per_s

    def sleep(self, seconds):
        """Sleep."""
        self.now += seconds
        self.slept += seconds

    def run(self, steps, step_s=0.0001, *, beside=False):
        """Do so many steps of a tenth of a millisecond."""
        pace = Pace(lambda: int(self.now * self.per_s), clock=lambda: self.now, sleep=self.sleep, beside=beside)
        for _ in range(steps):
            self.now += step_s
            pace.step()
        return self


def test_it_sleeps_while_decisions_come():
    """At five thousand decisions a second it takes about a seventh of the time."""
    world = World(5000).run(10_000)
    assert 0.13 < 1.0 / world.now < 0.17


def test_it_does_not_when_none_come():
    """A quiet authority archives at full speed."""
    assert World(10).run(10_000).slept == 0


def test_work_in_another_process_takes_half_of_the_time():
    """Each of its large steps is followed by as long a rest; none while no decisions come."""
    assert abs(World(5000).run(10, 0.2, beside=True).slept - 2.0) < 0.01
    assert World(2).run(10, 0.2, beside=True).slept == 0
