"""The world of the adapters' tests: one real authority for a session. Frameworks that are not here are not collected."""

import importlib.util
import tempfile
from pathlib import Path

import pytest

from bench.frameworks.world import world
from sealgate.integrations.versions import FRAMEWORKS

_HERE = Path(__file__).parent


def _is_here(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


collect_ignore = [
    str(_HERE / name.adapter)
    for name in FRAMEWORKS
    if not _is_here(name.module) or not _is_here(name.module.partition(".")[0])
]
"""A framework's tests run in its own environment: `make adapters`."""


@pytest.fixture(scope="session", name="world")
def _world():
    """A running authority with the policies of these tests, in a folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="sg-") as folder, world(Path(folder)) as running:
        yield running
