"""LlamaIndex behind the gate."""

import pytest

from bench.frameworks import llama_index as driver
from tests.adapters import matrix


@pytest.mark.parametrize(("case", "shape"), matrix.cases(driver))
def test_matrix(world, case, shape):
    """Every case in every shape."""
    matrix.check(driver, world, case, shape)


@pytest.mark.parametrize("case", matrix.approvals(driver))
def test_approval(world, case):
    """The model asks again."""
    matrix.check_approval(world, case)


def test_tool_classes_made_later_are_gated(world):
    """A subclass with a body of its own, written after the adapter was installed, asks as well."""
    import asyncio

    from llama_index.core.tools import AsyncBaseTool, ToolMetadata, ToolOutput

    from sealgate.integrations import llama_index as adapter

    adapter.install(world.gate())
    ran = []

    class Own(AsyncBaseTool):
        metadata = ToolMetadata("own tool", name="pay")

        def call(self, **kwargs):
            ran.append(kwargs)
            return ToolOutput(content="x", tool_name="pay", raw_input={}, raw_output=None)

        async def acall(self, **kwargs):
            return self.call(**kwargs)

    asyncio.run(Own().acall(to="mallory", amount=5))
    assert ran == []
    asyncio.run(Own().acall(to="bob", amount=5))
    assert ran == [{"to": "bob", "amount": 5}]
