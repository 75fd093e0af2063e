"""The world of the adapters' tests: one real authority for a session."""

import sys
import tempfile
from pathlib import Path

import pytest

from bench.frameworks.world import world
from sealgate.integrations.versions import FRAMEWORKS

_HERE = Path(__file__).parent


_PLACE = Path(sys.prefix)
_OURS = _PLACE.name if _PLACE.parent.name == ".venv-adapters" else ""
collect_ignore = [str(_HERE / framework.adapter) for framework in FRAMEWORKS if framework.name != _OURS]
collect_ignore += [] if _OURS else [str(_HERE / "each")]
"""A framework's tests run in its own environment, those in `each` in every one of them: `make adapters`."""


@pytest.fixture(scope="session", name="world")
def _world():
    """A running authority with the policies of these tests, in a folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="sg-") as folder, world(Path(folder)) as running:
        yield running
