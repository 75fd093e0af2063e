"""``sealgate run -- COMMAND``: a Python program whose agent frameworks are gated before its first line."""

import os
import selectors
import signal
import subprocess
import sys
import time
from typing import Any, Final

import click

from sealgate.integrations.autoload import FOLDER, ONLY, READY, READY_FD, wanted
from sealgate.model.errors import ConfigurationError

START_S: Final = 120.0
"""How long the program may take until its frameworks are gated, in seconds; some import for many."""

_IGNORING: Final = frozenset("IESP")
"""Switches of Python that skip the environment or the start-up modules."""


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--only", default="", metavar="NAMES", help="Adapters to install, separated by commas; default: all.")
@click.argument("program", nargs=-1, required=True)
def command(only: str, program: tuple[str, ...]) -> None:
    """Run a Python program with every agent framework in it gated.

    The program does not start where a framework has a version that is not known, where a canary tool gets through, or
    where its Python would not load the gate. SEALGATE_AGENT and the other variables of the client say who asks whom.
    """
    wanted(only)
    _refuse_switches(program)
    sys.exit(_run(program, only))


def _refuse_switches(program: tuple[str, ...]) -> None:
    if "python" not in os.path.basename(program[0]):  # noqa: PTH119  # a name, not a path of ours
        return
    for word in program[1:]:
        if not word.startswith("-") or word in ("-", "-c", "-m", "--"):
            return
        if not word.startswith("--") and set(word[1:]) & _IGNORING:
            raise ConfigurationError(f"Python's switch `{word}` would leave the gate out", hint="run without it")


def _run(program: tuple[str, ...], only: str) -> int:
    reading, writing = os.pipe()
    path = os.pathsep.join([str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, READY_FD: str(writing), ONLY: only}
    try:
        child = subprocess.Popen(program, env=environment, pass_fds=(writing,))  # noqa: S603  # the user's own command
    except OSError as error:
        raise ConfigurationError(f"`{program[0]}` cannot be run: {error.strerror}") from error
    finally:
        os.close(writing)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda received, _frame: _forward(child, received))
    if not _ready(reading, child):
        child.kill()
        code = child.wait()
        if code == _NOT_STARTED:
            return 1
        raise ConfigurationError(f"`{program[0]}` did not load the gate", hint="it has to be a Python program")
    return _status(child.wait())


_NOT_STARTED: Final = 70


def _ready(reading: int, child: "subprocess.Popen[bytes]") -> bool:
    """Wait until the program says that it is gated; false if it ends, closes the pipe or takes too long."""
    deadline = time.monotonic() + START_S
    with selectors.DefaultSelector() as selector, os.fdopen(reading, "rb", buffering=0) as pipe:
        selector.register(pipe, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if selector.select(0.2):
                told: Any = pipe.read(len(READY))
                if told != READY:
                    _settle(child)
                return bool(told == READY)
            if child.poll() is not None:
                return False
    return False


def _settle(child: "subprocess.Popen[bytes]") -> None:
    """Let a program that closed the pipe end by itself, so that its own words and status come through."""
    try:
        child.wait(1.0)
    except subprocess.TimeoutExpired:
        return


def _forward(child: "subprocess.Popen[bytes]", number: int) -> None:
    if child.poll() is None:
        child.send_signal(number)


def _status(code: int) -> int:
    return 128 - code if code < 0 else code
