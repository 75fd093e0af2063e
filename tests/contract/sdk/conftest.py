"""The authority that the client's tests speak to: simulated, and for what any authority does, the real one too.

The real one is ``sealgate serve`` with a policy that permits every tool of these tests. Each test still speaks to a
socket of its own, whose other end passes everything on and remembers it, so that the same questions can be asked.
"""

import importlib.util
import inspect
import json
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from bench.loss_collector import Collector
from sealgate.demo.authority import Authority
from sealgate.sdk import AsyncClient, Client, configure

_FILE = pathlib.Path(__file__).with_name("simulator.py")
_SPEC = importlib.util.spec_from_file_location("sealgate_simulator", _FILE)
assert _SPEC is not None
assert _SPEC.loader is not None
simulator = importlib.util.module_from_spec(_SPEC)
sys.modules["sealgate_simulator"] = simulator
_SPEC.loader.exec_module(simulator)


_FOR_ANY = ("test_guard", "test_scopes")
"""Modules whose tests hold for every authority."""

_SIMULATED_ONLY = (".rule", ".permits", "redeem_with_decision", ".raw")
"""What only the simulator can be told: a test that uses it runs with the simulator alone."""

_TOOLS = [
    "act",
    "remove",
    "own",
    "inner",
    "outer",
    "static",
    "static_too",
    "plain",
    "one",
    "two",
    "known",
    "unknown",
    "failing",
    "send",
    "pay",
]
_ARGUMENTS = [
    "a",
    "b",
    "rest",
    "c",
    "d",
    "path",
    "order",
    "items",
    "x",
    "self_like",
    "amount",
    "n",
    "kind",
    "name",
    "more",
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests that hold for every authority with both."""
    module = metafunc.module.__name__.rpartition(".")[2]
    if "authority" in metafunc.fixturenames and module in _FOR_ANY:
        source = inspect.getsource(metafunc.function)
        both = not any(word in source for word in _SIMULATED_ONLY)
        metafunc.parametrize("authority", ["simulated", "real"] if both else ["simulated"], indirect=True)


class PassedOn(simulator.Simulator):  # type: ignore[misc, name-defined]
    """Passes every request on to a real authority, and remembers what was recorded."""

    def __init__(self, path: pathlib.Path, real: pathlib.Path) -> None:
        self._real = httpx.Client(transport=httpx.HTTPTransport(uds=str(real)), base_url="http://sealgate", timeout=60)
        super().__init__(path)

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the real authority's answer."""
        given = self._real.post(path, json=body, headers={"prefer": "handling=strict"})
        members = given.json()
        record_id = members.get("record_id")
        with self.lock:
            if given.status_code == 200 and record_id not in {record["record_id"] for record in self.records}:
                kind = {"/v1/outcomes": "outcome", "/v1/records": "capture"}.get(path, path)
                self.records.append({"kind": kind, "body": body, "record_id": record_id or object()})
        return given.status_code, members

    def stop(self) -> None:
        """Stop listening; the real authority stays."""
        super().stop()
        self._real.close()


def write_permissive_policy(folder: pathlib.Path) -> None:
    """Write a policy directory that permits every tool of these tests with any of their arguments."""
    arguments = {"type": "object", "properties": {name: {} for name in _ARGUMENTS}}
    tools = [{"name": name, "inputSchema": arguments} for name in _TOOLS]
    for name, text in {
        "policies/all.cedar": '@id("all") permit (principal, action, resource);',
        "tools/bank.json": json.dumps({"tools": tools}),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="session", name="permissive_policy")
def _permissive_policy(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A policy directory that permits all."""
    folder = tmp_path_factory.mktemp("policy")
    write_permissive_policy(folder)
    return folder


@pytest.fixture(scope="session", name="real_authority")
def _real_authority(tmp_path_factory: pytest.TempPathFactory, permissive_policy: pathlib.Path) -> Iterator[Authority]:
    """``sealgate init``, ``sealgate serve``, once for all tests."""
    with Authority(tmp_path_factory.mktemp("real") / "gate") as running:
        running.publish(permissive_policy)
        yield running


@pytest.fixture(name="authority")
def _authority(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Any]:
    """A running authority: has ``path``, ``rule``, ``decisions``, ``outcomes``, ``captured``."""
    if getattr(request, "param", "simulated") == "real":
        running = PassedOn(tmp_path / "a.sock", request.getfixturevalue("real_authority").socket)
    else:
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
    """A client of ``tmp_path/a.sock``, also the default one. It is patient: no test but one is about its time bound."""
    with Client(
        agent="a1", server="bank", socket=tmp_path / "a.sock", spool=tmp_path / "spool", timeout_s=30.0
    ) as client:
        configure(client)
        yield client
        configure(None)
        AsyncClient(core=client.core).core.async_transport._pool.clear()  # type: ignore[attr-defined]


@pytest.fixture(name="collector")
def _collector(tmp_path: pathlib.Path) -> Iterator[Collector]:
    """A collector beside the authority: real HTTP, durable storage."""
    running = Collector(tmp_path / "collector.sock", tmp_path / "collector.db")
    yield running
    running.stop()


@pytest.fixture(name="items")
def _items(client: Client, collector: Collector) -> Callable[[], list[dict[str, Any]]]:
    """Returns what arrived at the collector once everything has left this process."""

    def arrived() -> list[dict[str, Any]]:
        assert client.flush(60) == 0
        return collector.items()

    return arrived


@pytest.fixture(name="wait_until")
def _wait_until() -> Callable[[Callable[[], bool]], None]:
    """Waits until something holds, a minute at most."""

    def wait(check: Callable[[], bool]) -> None:
        until = time.monotonic() + 60
        while not check():
            assert time.monotonic() < until, "it did not happen in time"
            time.sleep(0.01)

    return wait
