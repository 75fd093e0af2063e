"""One authority with its collector, and with the service that reads evidence, as a user starts them; and what they use.

Processor time is read from the kernel for each process, because a busy machine stretches the clock.
"""

import contextlib
import http.client
import json
import os
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from sealgate.demo.authority import Authority
from sealgate.demo.authority import run as run_command

CONNECTIONS: Final = 4
WORKERS: Final = 2
"""Processes that validate and redact: as many as the machine of the bar has processors."""

NATIVE: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class World:
    """Runs while entered. ``evidence`` asks for the service that reads evidence too."""

    def __init__(self, place: Path, *, evidence: bool) -> None:
        self._place = place
        self.otlp = f"127.0.0.1:{free_port()}"
        run_command("init", place, *Authority.INIT_OPTIONS)
        receiver = {"enabled": "yes", "http": self.otlp, "grpc": "", "authentication": "loopback"}
        settings: dict[str, dict[str, Any]] = {
            "collector": {"enabled": "yes", "workers": WORKERS},
            "otlp": receiver | {"loopback_agents": ["*"]},
            "access": {"enabled": "yes" if evidence else "no"},
        }
        _configure(place / "sealgate.toml", settings)
        self.authority = Authority(place)
        self.collector = place / "collector.sock"
        self.evidence = place / "evidence" / "evidence.sock"

    def __enter__(self) -> Self:
        self.authority.start()
        deadline = time.monotonic() + 60
        while not (self.collector.is_socket() and listens(self.otlp)):
            if time.monotonic() > deadline:
                raise RuntimeError("the collector did not start")
            time.sleep(0.05)
        time.sleep(0.3)
        return self

    def __exit__(self, *_: object) -> None:
        self.authority.stop()

    def send_native(self, bodies: list[bytes], *, rate: float = 0) -> dict[str, Any]:
        """Send native batches and return what their sender says."""
        return send(str(self.collector), "/v1/records/batch", NATIVE, bodies, rate=rate)

    def send_spans(self, bodies: list[bytes]) -> dict[str, Any]:
        """Send OTLP requests and return what their sender says."""
        return send(self.otlp, "/v1/traces", PROTOBUF, bodies)

    def cpu(self) -> dict[str, float]:
        """Return processor seconds by process: authority, collector, its workers, evidence."""
        used: dict[str, float] = {"authority": cpu_seconds(self.authority.pid)}
        for pid in children(self.authority.pid):
            name = _name(pid)
            used[name] = used.get(name, 0.0) + cpu_seconds(pid)
        return used


def used_us(after: Mapping[str, float], before: Mapping[str, float], sender_s: float, records: int) -> dict[str, float]:
    """Return microseconds of processor time a record, by process, and of all."""
    spent = {name: seconds - before.get(name, 0.0) for name, seconds in after.items()} | {"sender": sender_s}
    return {name: round(value / records * 1e6, 1) for name, value in (spent | {"all": sum(spent.values())}).items()}


def send(address: str, path: str, kind: str, bodies: list[bytes], *, rate: float = 0) -> dict[str, Any]:
    """Send bodies from a process of its own; return what it says."""
    data = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
    done = subprocess.run(
        [sys.executable, "-m", "bench.ingest_load", address, path, kind, str(CONNECTIONS), str(rate)],
        input=data,
        capture_output=True,
        check=True,
        timeout=600,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    if result["problem"]:
        raise RuntimeError(f"not all was taken: {result['problem']}")
    return result


def gauge(path: Path, name: str) -> float | None:
    """Return a figure that a service of ours tells on its socket, None where it does not answer yet."""
    connection = http.client.HTTPConnection("sealgate", timeout=10)
    try:
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.connect(str(path))
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    except OSError:
        return None
    finally:
        connection.close()
    return next((float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} ")), None)


def free_port() -> int:
    """Return a port that nobody listens on now, and that the kernel gives to nobody before it is used."""
    first_given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
    while True:
        port = random.SystemRandom().randrange(first_given // 2, first_given)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def listens(address: str) -> bool:
    """Tell whether somebody takes connections there."""
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=10):
        return True
    return False


def _configure(file: Path, settings: Mapping[str, Mapping[str, Any]]) -> None:
    text = file.read_text("utf-8")
    for section, values in settings.items():
        for key, value in values.items():
            line = f"{key} = {json.dumps(value)}"
            text, count = re.subn(rf"(?ms)(^\[{section}\]$.*?)^#?{key} = [^\n]*$", rf"\1{line}", text, count=1)
            if not count and section != "access":  # an older configuration has no such service
                raise RuntimeError(f"the configuration has no `{section}.{key}`")
    file.write_text(text, "utf-8")


def _name(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    if b"evidence" in words:
        return "evidence"
    if b"collect" in words:
        return "collector"
    return "workers"


def children(pid: int) -> list[int]:
    """Return the processes that descend from ``pid``."""
    found: list[int] = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                parent = int((path / "stat").read_text("ascii").rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                found += [int(path.name), *children(int(path.name))]
    return found


def cpu_seconds(pid: int) -> float:
    """Return the processor time of one process, kernel included."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
