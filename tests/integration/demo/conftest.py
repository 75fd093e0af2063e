"""The environment of real MCP servers, made by the project's script."""

import subprocess
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "mcp-env"


@pytest.fixture(scope="session", name="environment")
def _environment():
    """Return its folder: with all servers, else with those of PyPI."""
    for parts in ((), ("python",)):
        made = subprocess.run([_SCRIPT, *parts], capture_output=True, text=True, check=False, timeout=110)
        if made.returncode == 0:
            return Path(made.stdout.strip())
    pytest.skip(f"real MCP servers cannot be had here: {made.stderr.strip()[-200:]}")
