"""What the model says before a call reaches the gate as a claim where the reference says so, and nowhere else."""

import importlib
import sys
from pathlib import Path

from bench.frameworks.cases import PERMIT
from bench.frameworks.world import Bodies
from sealgate.integrations.core import Gate
from sealgate.integrations.coverage import REASONING
from sealgate.integrations.versions import BY_NAME

FRAMEWORK = BY_NAME[Path(sys.prefix).name]


class Listening(Gate):
    """Keeps what it is told of the model's reasons."""

    def __init__(self, client):
        super().__init__(client)
        self.heard = []

    def check(self, framework, tool, arguments, **about):
        """See ``Gate``."""
        self.heard.append(about.get("rationale"))
        return super().check(framework, tool, arguments, **about)

    async def acheck(self, framework, tool, arguments, **about):
        """See ``Gate``."""
        self.heard.append(about.get("rationale"))
        return await super().acheck(framework, tool, arguments, **about)


def test_the_models_reason_is_heard(world):
    """The scripted model says `I will` in the message that makes the call."""
    driver = importlib.import_module(f"bench.frameworks.{FRAMEWORK.adapter}")
    gate, bodies = Listening(world.client), Bodies()
    driver.run(gate, bodies, [PERMIT], driver.shapes[0])
    assert bodies.ran == [PERMIT]
    assert ("I will" in gate.heard) is (FRAMEWORK.name in REASONING)
