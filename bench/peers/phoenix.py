"""Arize Phoenix from PyPI as its documentation starts it, with its SQLite file (ELv2: run, never imported)."""

import os
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import urlopen

from bench.peers.installed import interpreter

VERSION: Final = "20.26.1"
_START_S: Final = 90.0


def persisted(
    folder: Path, port: int, grpc_port: int, seconds: float, send: Callable[[str], dict[str, Any]]
) -> dict[str, float] | None:
    """Return spans a second that it accepts and that arrive in its file, or None where it cannot be had.

    ``send`` sends spans to ``host:port`` and returns what its sender says. The file is looked at for ``seconds`` from
    the first span on, or until all is in it.
    """
    python = interpreter("arize-phoenix", VERSION)
    if python is None:
        return None
    with tempfile.TemporaryDirectory(dir=folder) as home:
        process = _start(python, Path(home), port, grpc_port)
        try:
            _await(process, port)
            started = time.monotonic()
            sent = send(f"127.0.0.1:{port}")
            count, took = _count(Path(home) / "phoenix.db", sent["spans"], started, seconds)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    return {
        "accepted_per_s": round(sent["spans"] / sent["seconds"]),
        "persisted": count,
        "sent": sent["spans"],
        "persisted_per_s": round(count / took, 1),
        "seconds": round(took, 1),
    }


def _start(python: Path, home: Path, port: int, grpc_port: int) -> "subprocess.Popen[bytes]":
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "PHOENIX_WORKING_DIR": str(home),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(grpc_port),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    with (home / "log").open("wb") as log:
        return subprocess.Popen(
            [python, "-m", "phoenix.server.main", "serve"], env=environment, cwd=home, stdout=log, stderr=log
        )


def _await(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except (URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("Phoenix did not start") from None
            time.sleep(0.2)


def _count(file: Path, wanted: int, started: float, seconds: float) -> tuple[int, float]:
    """Return how many spans are in the file, and how long after the start the last of them was seen."""
    count, seen = 0, time.monotonic()
    while time.monotonic() < started + seconds and count < wanted:
        time.sleep(0.25)
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as database:
            found = database.execute("SELECT count(*) FROM spans").fetchone()[0]
        if found > count:
            count, seen = found, time.monotonic()
    return count, max(seen - started, 0.001)
