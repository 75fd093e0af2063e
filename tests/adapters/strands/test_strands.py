"""Strands behind the gate."""

import pytest

from bench.frameworks import strands as driver
from tests.adapters import matrix


@pytest.mark.parametrize(("case", "shape"), matrix.cases(driver))
def test_matrix(world, case, shape):
    """Every case in every shape."""
    matrix.check(driver, world, case, shape)


@pytest.mark.parametrize("case", matrix.approvals(driver))
def test_approval(world, case):
    """The model asks again."""
    matrix.check_approval(world, case)
