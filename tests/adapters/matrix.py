"""The same cases for every framework, in every shape it has; each framework's test module calls this."""

import pytest

from bench.frameworks.approvals import each
from bench.frameworks.cases import CASES, try_case


def cases(driver):
    """Return the parameters: each case in each shape."""
    return [pytest.param(case, shape, id=f"{case.name}-{shape}") for shape in driver.shapes for case in CASES]


def check(driver, world, case, shape):
    """Run one case: nothing unpermitted ran, what should run did, and the model saw why."""
    tried = try_case(driver, world, case, shape)
    assert not tried.unpermitted, tried.unpermitted
    assert not tried.problems, tried.problems


def approvals(driver):
    """Return the parameters: each case of an approval."""
    return [pytest.param(case, id=name) for name, case in each(driver)]


def check_approval(world, case):
    """Nothing ran before a person granted exactly this call; then it ran once."""
    tried = case(world)
    assert not tried.unpermitted, tried.unpermitted
    assert not tried.problems, tried.problems
