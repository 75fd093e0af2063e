"""``hooks``: real coding agents, the real hook, a real authority, and everything that can go wrong between them.

Each host is told by a scripted model to run one command that leaves a mark. Counted is whether it ran: it must where
nothing is broken (or nothing would be shown), and never in a row of failures (``bench.hook_rows``). Both hook programs
are driven. Where time is short, the quickest host is driven through all rows and the others through some; ``rows_cut``
says how many are missing. A host that is not installed or does not run here is named in ``not_driven``. One decision
is timed too: the whole process that a host waits for, with its shell.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, get_args

from bench.harness import Options, Result, percentile
from bench.hook_hosts import HOSTS, Host
from bench.hook_models import Models
from bench.hook_rows import CONTROLS, QUICK, ROWS, SECONDS, Behaviour, Row
from sealgate.demo.authority import Authority
from sealgate.hooks import canaries, frames, install, settings
from sealgate.hooks.settings import Client
from sealgate.model.errors import SealgateError

_BAR_MS: Final = 10.0
_CALLS: Final = 100
_QUICK_HOST: Final = "codex"
"""The host that starts quickest: it is driven through every row even where time is short."""

_POLICIES: Final = """
@id("bench-touch")
permit (principal, action == Action::"code.shell", resource)
when { !context.input.opaque && context.input.program == "touch" && context.input.outside.isEmpty() };

@id("bench-duty") @obligation("redact:x")
permit (principal, action == Action::"code.shell", resource)
when { !context.input.opaque && context.input.program == "mkdir" && context.input.outside.isEmpty() };
"""


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
        """Put the starter policies in force, and those that this benchmark asks about."""
        shutil.copytree(Path(settings.__file__).with_name("pack"), self.folder / "pack")
        (self.folder / "pack" / "policies" / "bench.cedar").write_text(_POLICIES, "utf-8")
        self.authority.publish(self.folder / "pack")

    def runs(self, host: Host, row: Row, by: Client) -> bool:
        """Let the host do what the model says, in a fresh home and with one thing broken; tell whether the tool ran.

        Raises:
            TimeoutError: the host did not end, or did not ask and tell the model.
        """
        self.counted += 1
        place = self.folder / f"{host.name}-{self.counted}"
        with contextlib.ExitStack() as stack:
            hooks = self.hooks
            if row.behave is not None or row.prepare is not None:
                hooks = self.folder / f"d-{self.counted}"
                hooks.mkdir(mode=0o700)
                stack.enter_context(_daemon(hooks, row))
            if not row.authority:
                self.authority.stop()
                stack.callback(self.authority.start)
            return self._run(host, row, place, lambda phase: _command(phase, host, hooks, row, by))

    def _run(self, host: Host, row: Row, place: Path, command: Callable[[str], str]) -> bool:
        home, workspace = place / "home", place / "work"
        home.mkdir(parents=True)
        workspace.mkdir()
        host.prepare(home, self.models.url)
        path = install.settings_file(host.name, "user", {"HOME": str(home)}, workspace)
        install.install(path, host.name, {phase: command(phase) for phase in ("before", "after")})
        mark = workspace / "ran"
        self.models.command = row.line.format(mark=mark)
        asked = self.models.asked
        self.models.results.clear()
        try:
            host.run(home, workspace, self.models.url)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TimeoutError(str(error)[:120]) from error
        if self.models.asked == asked:
            raise TimeoutError("it never asked the model for a tool call")
        if not self.models.results:
            raise TimeoutError("it never told the model what came of the call")
        return mark.exists()


def _command(phase: str, host: Host, hooks: Path, row: Row, by: Client) -> str:
    own = row.behave is None and row.prepare is None
    command = settings.command(phase, host.name, hooks, by=by, seconds=settings.SELF_TIMEOUT_S if own else SECONDS)
    return row.change(command, by) if phase == "before" else command


@contextlib.contextmanager
def _daemon(folder: Path, row: Row) -> Iterator[None]:
    """Be the daemon of a row, or be none."""
    with socket.socket(socket.AF_UNIX) as listener:
        if row.behave is not None:
            listener.bind(str(folder / "hook.sock"))
            listener.listen()
            threading.Thread(target=_serve, args=(listener, row.behave), daemon=True).start()
        if row.prepare is not None:
            row.prepare(folder)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # it listened to nobody
                listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, behave: Behaviour) -> None:
    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, SealgateError):
            stream = connection.makefile("rb")
            head = frames.read_head(stream.readline().rstrip(b"\n"))
            stream.read(head.length)
            behave(connection, head)

    with contextlib.suppress(OSError):
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()


def _drive(host: Host, *, full: bool) -> dict[str, Any]:
    """Return what came of one host in a world of its own: rows driven, rows in which it ran, or why it was not."""
    if not host.program().exists():
        return {"not_driven": "not installed: scripts/hook-hosts"}
    with tempfile.TemporaryDirectory(prefix="sg-hh-", ignore_cleanup_errors=True) as name, Models() as models:
        world = World(Path(name), models)
        with world.authority:
            world.publish()
            try:
                return _rows(world, host, full=full)
            except TimeoutError as error:
                return {"not_driven": str(error)}


def _rows(world: World, host: Host, *, full: bool) -> dict[str, Any]:
    quick = not full and host.name != _QUICK_HOST
    wanted = [name for name, row in ROWS.items() if os.getuid() == 0 or not row.needs_root]
    driven = [name for name in wanted if name in QUICK] if quick else wanted
    programs: tuple[Client, ...] = ("perl", "python") if full else (settings.client(),)
    ran, wordless = [], []
    for by in programs:
        for name, row in CONTROLS.items():
            if not world.runs(host, row, by):
                return {"not_driven": f"`{name}` ({by}) did not run, so refusals would show nothing"}
        for name in driven:
            if world.runs(host, ROWS[name], by):
                ran.append(f"{name} ({by})")
            if "sealgate" not in "".join(world.models.results):
                wordless.append(f"{name} ({by})")
    rows = len(driven) * len(programs)
    return {"rows": rows, "cut": len(ROWS) * len(get_args(Client)) - rows, "ran": ran, "wordless": wordless}


def _time(command: str, data: bytes) -> float:
    start = time.perf_counter()
    subprocess.run(["/bin/sh", "-c", command], input=data, capture_output=True, check=False)
    return (time.perf_counter() - start) * 1000


def _ask(folder: Path, data: bytes) -> float:
    start = time.perf_counter()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(folder / "hook.sock"))
        client.sendall(frames.question("0" * 16, "before", "claude", data))
        while client.recv(65536):
            pass
    return (time.perf_counter() - start) * 1000


def _latency() -> dict[str, float]:
    """Time the whole process that a host waits for, and what a shell costs that does nothing."""
    with tempfile.TemporaryDirectory(prefix="sg-hl-", ignore_cleanup_errors=True) as name, Models() as models:
        world = World(Path(name), models)
        with world.authority:
            world.publish()
            data = canaries.event("claude", "Bash", {"command": "ls"}, folder=name)
            quick, slow = (settings.command("before", "claude", world.hooks, by=by) for by in (None, "python"))
            _time(slow, data)  # starts the daemon
            times: dict[str, list[float]] = {"hook": [], "python_hook": [], "shell": [], "daemon": []}
            for _ in range(_CALLS):  # in turn, so that whatever else the machine does falls on all alike
                times["hook"].append(_time(quick, data))
                times["python_hook"].append(_time(slow, data))
                times["shell"].append(_time(":", data))
                times["daemon"].append(_ask(world.hooks, data))
    shares = (("p50", 0.5), ("p99", 0.99))
    return {
        f"{what}_ms_{share}": round(percentile(sorted(values), part), 2)
        for what, values in times.items()
        for share, part in shares
    }


def run(options: Options) -> Result:
    """Time one decision, then drive every host through its rows, as many hosts at once as there are processors."""
    latency = _latency()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda host: _drive(host, full=options.full), HOSTS)
        found = {host.name: answer for host, answer in zip(HOSTS, answers, strict=True)}
    driven = {name: answer for name, answer in found.items() if "rows" in answer}
    missed = [f"{name} ran in: {', '.join(answer['ran'])}" for name, answer in driven.items() if answer["ran"]]
    if latency["hook_ms_p50"] > _BAR_MS:
        missed.append(f"hook_ms_p50 <= {_BAR_MS}")
    if not driven:
        missed.append("no host could be driven")
    figures: dict[str, Any] = {
        "rows_driven": {name: answer["rows"] for name, answer in driven.items()},
        "rows_cut": {name: answer["cut"] for name, answer in driven.items() if answer["cut"]},
        "runs_in_failure_rows": sum(len(answer["ran"]) for answer in driven.values()),
        "refused_without_our_words": {name: len(answer["wordless"]) for name, answer in driven.items()},
        "not_driven": {name: answer["not_driven"] for name, answer in found.items() if "not_driven" in answer}
        | {"cursor": "it has no program that runs without its service"},
        "program": settings.client(),
        **latency,
    }
    return Result("hooks", figures, _CALLS, "real hosts, real hook, real authority, scripted model", missed)
