"""Bar: an agent is paused. How long until its first call is refused, how long until its credentials are dead.

The agent (``pause_agent``) does not cooperate: from a process of its own it goes on calling, with a busy database
session, new logins and a token. One request of an operator to the API pauses it; no page and no agent is needed.
A real PostgreSQL server, a real authority, each in its own process.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench import postgres_server
from bench.credential_world import ask, world
from bench.harness import Options, Result

ROUNDS = 5
WATCHED_S = 4.0
BARS = {"first_refusal_s": 1.0, "call_s": 1.0, "session_s": 5.0, "login_s": 5.0, "token_s": 5.0}


def run(options: Options) -> Result:
    """Pause an agent several times; report the worst."""
    if postgres_server.binaries() is None:
        return Result(
            "pause", {}, 0, "nothing: PostgreSQL is not installed", ["postgresql is missing (scripts/servers)"]
        )
    rounds = ROUNDS if options.full or options.seconds >= ROUNDS * WATCHED_S else 2
    worst: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="sgpause") as folder, world(Path(folder)) as (authority, database):
        for number in range(rounds):
            found = _round(authority.socket, f"agent-{number}", database.folder)
            worst = {name: max(value, worst.get(name, 0.0)) for name, value in found.items()}
        left = len(database.roles())
    missed = [f"{name} {worst.get(name)} > {bar}" for name, bar in BARS.items() if worst.get(name, bar + 1) > bar]
    if left:
        missed.append(f"{left} roles are left")
    figures = {f"{name}_worst": round(value, 4) for name, value in worst.items()}
    return Result(
        "pause", {**figures, "roles_left": left}, rounds, "Unix sockets, PostgreSQL and authority local", missed
    )


def _round(socket: Path, agent: str, database: Path) -> dict[str, float]:
    """Let an agent run, pause it, watch; return the seconds from the request to its last success of each kind."""
    seen: list[tuple[str, bool, float]] = []
    command = [sys.executable, "-m", "bench.pause_agent", str(socket), agent, str(database)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        reader = threading.Thread(target=_read, args=(process, seen))
        reader.start()
        _await(process, seen, {"call", "session", "login", "token"})
        started = time.monotonic()
        status, answer = ask(socket, "POST", f"/v1/agents/{agent}/pause", {"reason": "drill"})
        if status != 200:
            raise RuntimeError(str(answer))
        time.sleep(WATCHED_S)
    finally:
        process.kill()
        process.wait()
    reader.join(10)
    after = [entry for entry in seen if entry[2] >= started]
    figures = {"first_refusal_s": min(at for what, worked, at in after if what == "call" and not worked) - started}
    for kind in ("call", "session", "login", "token"):
        figures[f"{kind}_s"] = max((at - started for what, worked, at in after if what == kind and worked), default=0.0)
        if not any(what == kind and not worked for what, worked, _ in after):
            figures[f"{kind}_s"] = float("inf")  # it was never refused
    return figures


def _read(process: "subprocess.Popen[bytes]", seen: list[tuple[str, bool, float]]) -> None:
    for line in process.stdout or ():
        what, worked, at = json.loads(line)
        seen.append((what, worked, at))


def _await(process: "subprocess.Popen[bytes]", seen: list[tuple[str, bool, float]], kinds: set[str]) -> None:
    """Wait until everything has worked at least once: the positive control."""
    deadline = time.monotonic() + 20
    while not kinds <= {what for what, worked, _ in list(seen) if worked}:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the agent did not get its credentials to work")
        time.sleep(0.02)
    time.sleep(0.5)
