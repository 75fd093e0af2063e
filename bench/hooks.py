"""``hooks``: real coding agents, the real hook, a real authority, and everything that can go wrong between them.

Each host is told by a scripted model to run one command that leaves a mark. Counted is whether it ran: it must where
the policy permits it (or nothing would be shown), and never in a row of failures. A host that is not installed or does
not run here is named in ``not_driven``; nothing is skipped without a word. Then one decision is timed: the whole hook
as a host starts it, the same interpreter doing nothing, and the daemon alone.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from bench.harness import Options, Result, percentile
from bench.hook_hosts import HOSTS, Host
from bench.hook_models import Models
from sealgate.demo.authority import Authority
from sealgate.hooks import canaries, frames, install, outputs, settings
from sealgate.model.errors import SealgateError

_SECONDS: Final = 1.5
_BAR_MS: Final = 10.0
_CALLS: Final = 100
_TOUCH: Final = """
@id("bench-touch")
permit (principal, action == Action::"code.shell", resource)
when { !context.input.opaque && context.input.program == "touch" && context.input.outside.isEmpty() };
"""

Change = Callable[[str], str]
Behaviour = Callable[[socket.socket, frames.Head], object]


def _timeout(command: str) -> str:
    return command.replace(f" {settings.SELF_TIMEOUT_S:g}", f" {_SECONDS:g}", 1)


def _program(instead: str) -> Change:
    """Put another program in the place of ours; what the command does after it stays."""

    def change(command: str) -> str:
        return re.sub(r"^.*?( \|\| |$)", lambda match: instead + match[1], command, count=1)

    return change


_CHANGED: Final[dict[str, Change]] = {
    "interpreter missing": lambda command: command.replace("bin/python", "bin/absent"),
    "program missing": lambda command: command.replace("program.py", "absent.py"),
    "program crashed": _program("sh -c 'exit 1'"),
    "program killed": _program("sh -c 'kill -9 $$'"),
    "program stopped": _program("sh -c 'kill -TERM $$'"),
}
"""Rows that are a change of the command in the host's settings."""

_DAEMONS: Final[dict[str, Behaviour]] = {
    "daemon crashed": lambda connection, _: connection.close(),
    "daemon slow": lambda *_: time.sleep(_SECONDS + 2),
    "answer unreadable": lambda connection, _: connection.sendall(b"permit\n"),
    "answer half written": lambda connection, head: connection.sendall(frames.answer(head.nonce, outputs.SILENT)[:-4]),
    "answer to another call": lambda connection, _: connection.sendall(frames.answer("0" * 16, outputs.SILENT)),
}
"""Rows that are a daemon that misbehaves."""


class World:
    """An authority, a daemon's folder, and a home for each host."""

    def __init__(self, folder: Path, models: Models) -> None:
        self.folder, self.models = folder, models
        self.authority = Authority(folder / "gate")
        self.hooks = folder / "hooks"
        settings.write(
            self.hooks, settings.HookSettings(socket=str(self.authority.socket), spool=str(folder / "spool"))
        )
        self.counted = 0

    def publish(self) -> None:
        """Put the starter policies in force, and one that permits what the model asks for."""
        shutil.copytree(Path(settings.__file__).with_name("pack"), self.folder / "pack")
        (self.folder / "pack" / "policies" / "bench.cedar").write_text(_TOUCH, "utf-8")
        self.authority.publish(self.folder / "pack")

    def runs(
        self, host: Host, *, hooks: Path | None = None, change: Change = lambda text: text, line: str = ""
    ) -> bool:
        """Let the host do what the model says, in a fresh home; tell whether the command ran.

        Raises:
            TimeoutError: the host did not end, or never asked the model.
        """
        self.counted += 1
        place = self.folder / f"{host.name}-{self.counted}"
        home, workspace = place / "home", place / "work"
        home.mkdir(parents=True)
        workspace.mkdir()
        host.prepare(home, self.models.url)
        path = install.settings_file(host.name, "user", {"HOME": str(home)}, workspace)
        commands = {phase: settings.command(phase, host.name, hooks or self.hooks) for phase in ("before", "after")}
        if hooks is not None:
            commands = {phase: _timeout(command) for phase, command in commands.items()}
        install.install(path, host.name, {phase: change(command) for phase, command in commands.items()})
        mark = workspace / "ran"
        self.models.command = line or f"touch {mark}"
        asked = self.models.asked
        try:
            host.run(home, workspace, self.models.url)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TimeoutError(str(error)[:120]) from error
        if self.models.asked == asked:
            raise TimeoutError("it never asked the model for a tool call")
        return mark.exists()


@contextlib.contextmanager
def _impostor(folder: Path, behave: Behaviour) -> Iterator[Path]:
    """Be a daemon that misbehaves."""
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "hook.sock"))
        listener.listen()

        def answer(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError, SealgateError):
                behave(connection, frames.read_head(connection.makefile("rb").readline().rstrip(b"\n")))

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield folder
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def _rows(world: World, host: Host) -> Iterator[tuple[str, bool]]:
    """Yield (row, did it run) for every row of failures."""
    yield "authority declines", world.runs(host, line="env touch ran")
    yield "opaque command", world.runs(host, line="touch $(echo ran)")
    for row, behave in _DAEMONS.items():
        with _impostor(world.folder / f"i-{world.counted}", behave) as folder:
            yield row, world.runs(host, hooks=folder)
    nobody = world.folder / f"n-{world.counted}"
    nobody.mkdir(mode=0o700)
    (nobody / "start").write_text("/bin/false")
    yield "daemon missing", world.runs(host, hooks=nobody)
    for row, change in _CHANGED.items():
        yield row, world.runs(host, change=change)
    world.authority.stop()
    try:
        yield "authority gone", world.runs(host)
    finally:
        world.authority.start()


def _drive(world: World, host: Host, deadline: float) -> dict[str, Any]:
    """Return what came of one host: rows driven, rows in which it ran, or why it could not be driven."""
    if not host.program().exists():
        return {"not_driven": "not installed: scripts/hook-hosts"}
    try:
        if not world.runs(host):
            return {"not_driven": "it did not run what was permitted, so refusals would show nothing"}
        driven, ran = [], []
        for row, did_run in _rows(world, host):
            driven.append(row)
            ran += [row] * did_run
            if time.monotonic() > deadline:
                break
        return {"rows": driven, "ran": ran, "cut_short": time.monotonic() > deadline}
    except TimeoutError as error:
        return {"not_driven": str(error)}


def _time(command: list[str], data: bytes) -> float:
    start = time.perf_counter()
    subprocess.run(command, input=data, capture_output=True, check=False)
    return (time.perf_counter() - start) * 1000


def _latency(world: World) -> dict[str, float]:
    data = canaries.event("claude", "Bash", {"command": "ls"}, folder=str(world.folder))
    command = settings.command("before", "claude", world.hooks)
    subprocess.run(["/bin/sh", "-c", command], input=data, check=False, capture_output=True)  # starts the daemon
    idle = f"'{os.path.realpath(sys.executable)}' -I -S -B -c pass"
    whole, nothing, alone = [], [], []
    for _ in range(_CALLS):  # in turn, so that whatever else the machine does falls on all alike
        whole.append(_time(["/bin/sh", "-c", command], data))
        nothing.append(_time(["/bin/sh", "-c", idle], data))
        start = time.perf_counter()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(world.hooks / "hook.sock"))
            client.sendall(frames.question("0" * 16, "before", "claude", data))
            while client.recv(65536):
                pass
        alone.append((time.perf_counter() - start) * 1000)
    for times in (whole, nothing, alone):
        times.sort()
    return {
        "hook_ms_p50": round(percentile(whole, 0.5), 2),
        "hook_ms_p99": round(percentile(whole, 0.99), 2),
        "interpreter_ms_p50": round(percentile(nothing, 0.5), 2),
        "decision_ms_p50": round(percentile(whole, 0.5) - percentile(nothing, 0.5), 2),
        "daemon_ms_p50": round(percentile(alone, 0.5), 2),
        "daemon_ms_p99": round(percentile(alone, 0.99), 2),
    }


def run(options: Options) -> Result:
    """Drive every host through every row, then time one decision."""
    share_s = 3600.0 if options.full else options.seconds * 5
    with tempfile.TemporaryDirectory(prefix="sg-hooks-", ignore_cleanup_errors=True) as name, Models() as models:
        world = World(Path(name), models)
        with world.authority:
            world.publish()
            latency = _latency(world)
            found = {host.name: _drive(world, host, time.monotonic() + share_s) for host in HOSTS}
    driven = {name: answer for name, answer in found.items() if "rows" in answer}
    ran = {name: answer["ran"] for name, answer in driven.items() if answer["ran"]}
    missed = [f"{name} ran in: {', '.join(rows)}" for name, rows in ran.items()]
    if latency["decision_ms_p50"] > _BAR_MS:
        missed.append(f"decision_ms_p50 <= {_BAR_MS}")
    if not driven:
        missed.append("no host could be driven")
    figures: dict[str, Any] = {
        "hosts_driven": sorted(driven),
        "rows_driven": {name: len(answer["rows"]) for name, answer in driven.items()},
        "cut_short": sorted(name for name, answer in driven.items() if answer["cut_short"]),
        "runs_in_failure_rows": sum(map(len, ran.values())),
        "not_driven": {name: answer["not_driven"] for name, answer in found.items() if "not_driven" in answer}
        | {"cursor": "it has no program that runs without its service"},
        **latency,
    }
    return Result("hooks", figures, _CALLS, "real hosts, real hook, real authority, scripted model", missed)
