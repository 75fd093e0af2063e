"""The processes that ``sealgate serve`` keeps running beside the authority.

Each is a program of ours with its own rights; what it does cannot harm the authority: a child that ends is started
again after a pause that grows while it keeps ending, and nothing waits for it. They are stopped in the order of the
table before the authority: first who takes things in, then who reads what was recorded.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealgate.adapters.children.priority import BELOW
from sealgate.adapters.configuration.settings import Configuration
from sealgate.cli._ready import ReadySignal

_LOG = logging.getLogger("sealgate.children")
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_STEADY_S: Final = 10.0
"""A child that ran so long starts again with the first pause."""

_STOP_S: Final = 15.0
"""How long a child may take to stop before it is killed; its own patience with connections is less."""

_KEPT_VARIABLES: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "XDG_CACHE_HOME", "PYTHONPATH")
_KEPT_PREFIX: Final = "SEALGATE_"


@dataclass(frozen=True, slots=True)
class Child:
    """A kind of child: its name, the arguments of ``sealgate`` that start it, whether the configuration asks for it.

    ``nice`` is its priority below the authority's once it serves (setpriority(2)); until then it is as urgent. It
    counts only because both are in one session, as the kernel divides processors among sessions first (sched(7),
    autogroup). ``reads_bodies`` says that it opens the wrapping key, for which a device's library may need variables
    of its own.
    """

    name: str
    arguments: tuple[str, ...]
    enabled: Callable[[Configuration], bool]
    nice: int = 0
    reads_bodies: bool = False


CHILDREN: Final[tuple[Child, ...]] = (
    Child("collector", ("collect",), lambda configuration: configuration.collector.enabled == "yes"),
    # It may lag behind for a while; a decision may not. So the processors are the authority's first.
    Child(
        "evidence",
        ("evidence", "serve"),
        lambda configuration: configuration.access.enabled == "yes",
        nice=BELOW,
        reads_bodies=True,
    ),
    Child("vault", ("vault", "serve"), lambda configuration: configuration.vault.enabled == "yes"),
)
"""All of them, in the order in which they are stopped."""


class Supervisor:
    """Keeps children running. Lives on the authority's event loop and does next to nothing there."""

    def __init__(
        self,
        children: Sequence[Child],
        *,
        config_path: Path,
        flags: Sequence[str],
        device_environment: Sequence[str] = (),
        first_pause_s: float = _FIRST_PAUSE_S,
    ) -> None:
        self._children = tuple(children)
        self._device_environment = tuple(device_environment)
        self._options = ("--config", str(config_path.absolute()), *(part for flag in flags for part in ("--set", flag)))
        self._first_pause_s = first_pause_s
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self.states: dict[str, str] = {}
        """What each child does now: "ok" once it serves; before that "starting", or how its last run ended."""

        self.restarts = 0

    def start(self) -> None:
        """Begin to start them all; returns at once."""
        loop = asyncio.get_running_loop()
        for child in self._children:
            self.states[child.name] = "starting"
            self._keepers[child.name] = loop.create_task(self._keep(child), name=f"child {child.name}")

    async def _keep(self, child: Child) -> None:
        """Run one child for ever."""
        loop = asyncio.get_running_loop()
        pause_s = self._first_pause_s
        while True:
            began = loop.time()
            self.states[child.name] = await self._run(child)
            if loop.time() - began > _STEADY_S:
                pause_s = self._first_pause_s
            self.restarts += 1
            _LOG.error("%s %s; starting it again in %.1f s", child.name, self.states[child.name], pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _run(self, child: Child) -> str:
        """Run one child until it ends; return how it ended."""
        environment = _environment(self._device_environment if child.reads_bodies else ())
        try:
            with ReadySignal() as signalled:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-m", "sealgate.cli._child", *child.arguments, *self._options),
                    stdin=asyncio.subprocess.DEVNULL,
                    env={**environment, **signalled.variables},
                    pass_fds=(signalled.descriptor,),
                )
                self._processes[child.name] = process
                signalled.listen(lambda: self._serves(child, process.pid))
                _LOG.info("%s is process %d", child.name, process.pid)
                status = await process.wait()
        except OSError as error:
            return f"could not be started: {error.strerror}"
        return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"

    def _serves(self, child: Child, pid: int) -> None:
        self.states[child.name] = "ok"
        if child.nice:
            _lower(pid, child.nice)

    async def stop(self) -> None:
        """Stop them in the order of the table; one that does not is killed."""
        for child in self._children:
            keeper = self._keepers.pop(child.name, None)
            if keeper is not None:
                keeper.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await keeper
            process = self._processes.pop(child.name, None)
            if process is not None and process.returncode is None:
                await _stop(child.name, process)
            self.states[child.name] = "stopped"


def _lower(pid: int, steps: int) -> None:
    """Lower the priority of a process so far below ours: all its threads, each of which has one; they pass it on."""
    with contextlib.suppress(OSError):  # it ended, or a sandbox forbids it: then it is as it was
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208  # only names are asked for
            os.setpriority(os.PRIO_PROCESS, int(thread), os.getpriority(os.PRIO_PROCESS, 0) + steps)


async def _stop(name: str, process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), _STOP_S)
    except TimeoutError:
        _LOG.error("%s does not stop; killed", name)  # the trace would say nothing more
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _environment(more: Sequence[str] = ()) -> dict[str, str]:
    """Return what a child needs of our environment: no credentials that only the authority may read, unless named."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT_VARIABLES or name in more or (name.startswith(_KEPT_PREFIX) and name != "SEALGATE_CONFIG")
    }
