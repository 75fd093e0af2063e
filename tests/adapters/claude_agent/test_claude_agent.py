"""The Claude Agent SDK, with its own program, behind the gate."""

import pytest

from bench.frameworks import claude_agent as driver
from tests.adapters import matrix


@pytest.mark.parametrize(("case", "shape"), matrix.cases(driver))
def test_matrix(world, case, shape):
    """Every case in every shape."""
    matrix.check(driver, world, case, shape)


@pytest.mark.parametrize("case", matrix.approvals(driver))
def test_approval(world, case):
    """The model asks again."""
    matrix.check_approval(world, case)


def test_a_gate_that_raises_stops_the_tool(world, monkeypatch):
    """The host runs the tool after a hook that raises, unless it was told to block; it was."""
    from bench.frameworks.cases import PERMIT
    from bench.frameworks.world import Bodies

    gate, bodies = world.gate(), Bodies()

    async def acheck(*args, **kwargs):
        raise RuntimeError("x")

    monkeypatch.setattr(gate, "acheck", acheck)
    driver.run(gate, bodies, [PERMIT], "async")
    assert bodies.ran == []
