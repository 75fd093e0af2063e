"""The same cases for every framework, in every shape it has; each framework's test module calls this."""

import pytest

from bench.frameworks.cases import CASES, try_approval, try_case


def cases(driver):
    """Return the parameters: each case in each shape."""
    return [pytest.param(case, shape, id=f"{case.name}-{shape}") for shape in driver.shapes for case in CASES]


def check(driver, world, case, shape):
    """Run one case: nothing unpermitted ran, what should run did, and the model saw why."""
    tried = try_case(driver, world, case, shape)
    assert tried.unpermitted == []
    assert tried.problems == []


def check_approval(driver, world):
    """A call that needs a person runs once, after it was approved, and not before."""
    tried = try_approval(driver, world)
    assert tried.unpermitted == []
    assert tried.problems == []
