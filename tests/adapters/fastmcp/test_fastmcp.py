"""FastMCP servers behind the gate."""

import pytest

from bench.frameworks import fastmcp as driver
from tests.adapters import matrix


@pytest.mark.parametrize(("case", "shape"), matrix.cases(driver))
def test_matrix(world, case, shape):
    """Every case in every shape."""
    matrix.check(driver, world, case, shape)


def test_approval(world):
    """The client asks again."""
    matrix.check_approval(driver, world)
