"""``loss``: agents record under load while agents, collector and authority are killed, disks fill and servers go away.

Counted at the end: every item that a call acknowledged must be in the journal (read with its own keys) and in the
evidence store that follows it, and none of them twice. The hour without a server is simulated: the server is away for
a few real seconds while the client's pauses pass as fast as an hour does; ``--full`` takes longer.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from bench.harness import Options, Result
from bench.owning import wait_until_nobody_owns
from bench.sealed_records import items_by_id
from sealgate.adapters.configuration import loading
from sealgate.adapters.evidence.service import open_service
from sealgate.adapters.keys.keyring import Keyring
from sealgate.cli._wiring_evidence import places, store_bounds
from sealgate.cli.init import JOURNAL
from sealgate.demo.authority import Authority
from sealgate.evidence.answers import Filter
from sealgate.sdk import Client

_AWAY_S: Final = 3600.0
_AGENTS: Final = 2
_SPOOL_BYTES: Final = 256 * 1024 * 1024
_SMALL_SPOOL_BYTES: Final = 128 * 1024
_FILE_BYTES: Final = 96 * 1024
_LEAST: Final = 100
"""Fewer items say nothing."""
_KILLED: Final = ("agents", "collectors", "authorities")


class World:
    """A real authority with its collector, agents that record, and what they were told."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.authority = Authority(folder / "gate")
        self.spool = folder / "spool"
        self.moments = random.Random(seed)
        self.kills: Counter[str] = Counter()
        self._notes = folder / "notes"
        self._agents: list[subprocess.Popen[bytes]] = []
        # What an agent said before it was killed is in the pipe, and this process brings it home.
        with self._notes.open("ab") as file:
            self._clerk = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file)

    def start_agent(
        self, seconds: float, *, compress: float = 20.0, spool_bytes: int = _SPOOL_BYTES, file_bytes: int = 0
    ) -> subprocess.Popen[bytes]:
        """Start one agent."""
        command = [sys.executable, "-m", "bench.loss_agent", str(self.authority.socket), str(self.spool)]
        numbers = (seconds, compress, spool_bytes, file_bytes)
        agent = subprocess.Popen([*command, *map(str, numbers)], stdout=self._clerk.stdin)
        self._agents.append(agent)
        return agent

    def kill_agent(self, agent: subprocess.Popen[bytes]) -> None:
        """End an agent as a crash would."""
        agent.kill()
        agent.wait()
        self._agents.remove(agent)
        self.kills["agent"] += 1

    def kill_collector(self) -> None:
        """End the collector; the authority starts it again."""
        for pid in _children(self.authority.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills["collector"] += 1

    def kill_authority(self) -> None:
        """End the authority and all that belongs to it, and start it again."""
        children = _children(self.authority.pid)
        os.kill(self.authority.pid, signal.SIGKILL)
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.kills["authority"] += 1
        self.authority.stop()
        wait_until_nobody_owns(self.authority.data / JOURNAL)
        self.authority.start()

    def finish_agents(self) -> None:
        """Wait until all agents have ended by themselves."""
        for agent in self._agents:
            agent.wait()
        self._agents.clear()

    def notes(self) -> tuple[set[str], int]:
        """Return the ids that were acknowledged, and how many calls raised. All agents have ended."""
        if self._clerk.stdin is not None:
            self._clerk.stdin.close()
        self._clerk.wait()
        lines = self._notes.read_text().splitlines()
        return {line for line in lines if len(line) == 36}, lines.count("refused")

    def told(self) -> tuple[int, int]:
        """Return how many calls are known by now to have been acknowledged, and how many to have raised."""
        lines = self._notes.read_text().splitlines()
        refused = lines.count("refused")
        return len(lines) - refused, refused

    def deliver(self, timeout_s: float) -> int:
        """Send all that waits, as a later process does; return what still waits."""
        with Client(agent="a1", socket=self.authority.socket, spool=self.spool) as client:
            return client.core.recorder.shipper.flush(timeout_s)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def run(options: Options) -> Result:
    """Hurt everything for a while, then count."""
    seconds = min(options.seconds, 600.0 if options.full else 20.0)
    with tempfile.TemporaryDirectory(prefix="sg-loss-") as name:
        world = World(Path(name), seed=7)
        with world.authority:
            _kill_at_random(world, seconds / 2)
            _full(world, seconds / 10)
            away_s, compress = _away(world, seconds / 5)
            left = world.deliver(60.0)
        found = items_by_id(world.authority.configuration)
        rows = _rows_by_id(world.authority.configuration)
        acknowledged, refused = world.notes()
    lost = len(acknowledged - found.keys())
    twice = sum(1 for count in found.values() if count > 1)
    figures = {
        "acknowledged_items": len(acknowledged),
        "lost": lost,
        "twice_in_the_journal": twice,
        "lost_in_the_store": len(acknowledged - rows.keys()),
        "twice_in_the_store": sum(1 for count in rows.values() if count > 1),
        "still_waiting": left,
        "items_in_the_journal": len(found),
        "killed_agents": world.kills["agent"],
        "killed_collectors": world.kills["collector"],
        "killed_authorities": world.kills["authority"],
        "refused_when_full": refused,
        "server_away_simulated_s": round(away_s * compress),
        "server_away_real_s": round(away_s, 1),
    }
    missed = [name for name, bad in _bars(figures) if bad]
    return Result("loss", figures, 1, "real authority and collector, two agents of four threads", missed)


def _rows_by_id(configuration_file: Path) -> Counter[str]:
    """Count the rows of the evidence store by their items' ids, once it has followed to the end of the log."""
    configuration = loading.load(configuration_file, {}, ())
    service = open_service(places(configuration), Keyring.of(configuration).open_reading(), store_bounds(configuration))
    found: Counter[str] = Counter()
    try:
        while service.consumer.step():
            pass
        after: str | None = None
        while True:
            page = service.queries.search(Filter(agent="a1"), after=after, limit=1000)
            found.update(row.id for row in page.rows)
            after = page.next
            if after is None:
                return found
    finally:
        service.close()


def _bars(figures: dict[str, int | float]) -> list[tuple[str, bool]]:
    return [
        ("0 acknowledged items lost", figures["lost"] > 0),
        ("0 items twice", figures["twice_in_the_journal"] > 0),
        ("0 acknowledged items missing in the store", figures["lost_in_the_store"] > 0),
        ("0 items twice in the store", figures["twice_in_the_store"] > 0),
        ("nothing still waiting", figures["still_waiting"] > 0),
        ("a full disk is an error that the caller sees", figures["refused_when_full"] == 0),
        ("everything was killed", not all(figures[f"killed_{what}"] for what in _KILLED)),
        ("something was recorded", figures["acknowledged_items"] < _LEAST),
    ]


def _kill_at_random(world: World, seconds: float) -> None:
    until = time.monotonic() + seconds
    patience = until + 60.0  # where the disk is slow
    agents = [world.start_agent(seconds + 65) for _ in range(_AGENTS)]
    turn = 0
    while time.monotonic() < until or turn < 6 or (world.told()[0] < _LEAST and time.monotonic() < patience):
        time.sleep(0.05 + world.moments.random() * 0.8)
        if turn % 6 == 5:
            world.kill_authority()
        elif turn % 3 == 1:
            world.kill_collector()
        else:
            number = world.moments.randrange(_AGENTS)
            world.kill_agent(agents[number])
            agents[number] = world.start_agent(seconds + 65)
        turn += 1
    for agent in agents:
        world.kill_agent(agent)


def _full(world: World, seconds: float) -> None:
    """Fill the spool while the server is away, once by its own bound and once by files that cannot grow."""
    world.authority.stop()
    for bounds in ({"spool_bytes": _SMALL_SPOOL_BYTES}, {"file_bytes": _FILE_BYTES}):
        _, before = world.told()
        for _ in range(60):  # a slow disk may take longer to fill
            world.start_agent(max(seconds / 2, 1.0), **bounds)
            world.finish_agents()
            if world.told()[1] > before:
                break
    world.authority.start()


def _away(world: World, seconds: float) -> tuple[float, float]:
    """Keep the server away while agents go on; return how long it really was, and how much faster pauses passed."""
    compress = _AWAY_S / seconds
    agents = [world.start_agent(seconds * 1.5, compress=compress) for _ in range(_AGENTS)]
    time.sleep(seconds / 4)
    world.authority.stop()
    started = time.monotonic()
    time.sleep(seconds)
    away_s = time.monotonic() - started
    world.authority.start()
    world.finish_agents()
    del agents
    return away_s, compress
