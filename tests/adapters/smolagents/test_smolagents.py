"""smolagents behind the gate."""

import pytest

from bench.frameworks import smolagents as driver
from tests.adapters import matrix


@pytest.mark.parametrize(("case", "shape"), matrix.cases(driver))
def test_matrix(world, case, shape):
    """Every case in every shape."""
    matrix.check(driver, world, case, shape)


@pytest.mark.parametrize("case", matrix.approvals(driver))
def test_approval(world, case):
    """The model asks again."""
    matrix.check_approval(world, case)


@pytest.mark.parametrize("imports", [[], ["os"]])
def test_code_agents_that_may_import_are_refused(world, imports):
    """Further imports let generated code act without any tool, so such an agent is not made."""
    from smolagents import CodeAgent

    from sealgate.integrations import smolagents as adapter
    from sealgate.sdk import NotCoverable

    adapter.install(world.gate())
    if imports:
        with pytest.raises(NotCoverable):
            CodeAgent(tools=[], model=driver.Scripted([]), additional_authorized_imports=imports)
    else:
        CodeAgent(tools=[], model=driver.Scripted([]), additional_authorized_imports=imports)
