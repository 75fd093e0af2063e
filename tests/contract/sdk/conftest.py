"""The authority that the client's tests speak to. A real one can take the simulator's place: override ``authority``."""

import importlib.util
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sealgate.sdk import AsyncClient, Client, configure

_FILE = pathlib.Path(__file__).with_name("simulator.py")
_SPEC = importlib.util.spec_from_file_location("sealgate_simulator", _FILE)
assert _SPEC is not None
assert _SPEC.loader is not None
simulator = importlib.util.module_from_spec(_SPEC)
sys.modules["sealgate_simulator"] = simulator
_SPEC.loader.exec_module(simulator)


@pytest.fixture(name="authority")
def _authority(tmp_path: pathlib.Path) -> Iterator[Any]:
    """A running authority: has ``path``, ``rule``, ``decisions``, ``outcomes``, ``captured``."""
    running = simulator.Simulator(tmp_path / "a.sock")
    yield running
    running.stop()


@pytest.fixture(name="start")
def _start(tmp_path: pathlib.Path) -> Iterator[Callable[[], Any]]:
    """Starts an authority when the test wants one, on ``tmp_path/a.sock``."""
    started: list[Any] = []

    def start() -> Any:
        started.append(simulator.Simulator(tmp_path / "a.sock"))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture(name="client")
def _client(tmp_path: pathlib.Path) -> Iterator[Client]:
    """A client of ``tmp_path/a.sock``, also the default one."""
    with Client(
        agent="a1", server="bank", socket=tmp_path / "a.sock", spool=tmp_path / "spool", timeout_s=1.0
    ) as client:
        configure(client)
        yield client
        configure(None)
        AsyncClient(core=client.core).core.async_transport._pool.clear()  # type: ignore[attr-defined]
