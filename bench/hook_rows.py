"""The rows of failures that `bench hooks` makes under a real host: what is broken, and how. No host is named here.

A row breaks one thing between the host and the decision: the hook's command in the settings, what comes in through its
input, the folder or the daemon that it finds, the authority behind it. Everything else is as installed. `CONTROLS` are
the same devices with nothing broken: there the tool must run, or the rows would show nothing.
"""

import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealgate.hooks import frames, outputs, settings
from sealgate.hooks.settings import Client

SECONDS: Final = 2
"""What the hook gives itself in a row that waits for its time to be over."""

TOUCH: Final = "touch {mark}"
LARGE: Final = TOUCH + " #" + "\\" * 40_000
"""A call whose event is larger than a pipe holds (each backslash counts twice), and not too large to be run."""

_SEVEN: Final = outputs.Output(7)
_TWO: Final = outputs.Output(2)
_ONE: Final = outputs.Output(1, stderr=b"noted\n")

Change = Callable[[str, Client], str]
Behaviour = Callable[[socket.socket, frames.Head], object]


def _permit(connection: socket.socket, head: frames.Head) -> None:
    connection.sendall(frames.answer(head.nonce, outputs.SILENT))


def _answer(change: Callable[[bytes], bytes]) -> Behaviour:
    return lambda connection, head: connection.sendall(change(frames.answer(head.nonce, outputs.SILENT)))


def _as_it_is(command: str, by: Client) -> str:
    del by
    return command


def _instead(program: str) -> Change:
    """Start another program; the command's own watch over it stays."""
    return lambda command, _: re.sub(r" sealgate '/.*$", lambda _: f" sealgate {program}", command)


def _filtered(text: str) -> Change:
    """Put something between the host and the hook's input."""
    return lambda command, _: f"{text} | {command}"


def _interpreter(command: str, by: Client) -> str:
    return command.replace("'/usr/bin/perl'", "'/usr/bin/absent'") if by == "perl" else _second_interpreter(command, by)


def _second_interpreter(command: str, by: Client) -> str:
    del by
    return re.sub(r"'(/[^']*)/bin/python[^']*'", r"'\1/bin/absent'", command)


def _program(instead: str) -> Change:
    return lambda command, by: command.replace(str(settings.program(by)), instead)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is broken; ``prepare`` makes the folder of a daemon that is not the installed one."""

    line: str = TOUCH
    change: Change = _as_it_is
    behave: Behaviour | None = None
    prepare: Callable[[Path], object] | None = None
    authority: bool = True
    needs_root: bool = False


def _nobody(folder: Path) -> None:
    (folder / "start").write_text("/bin/false", "utf-8")


def _never_starts(folder: Path) -> None:
    (folder / "start").write_text("/bin/sleep\0" + str(SECONDS + 2), "utf-8")


_NAME_IT: Final = '/"hook_event_name"/!s/^{/{"hook_event_name":"x",/'
_RENAME_IT: Final = r's/\("hook_event_name":"\)[^"]*/\1Other/'
"""Copilot's events have no name; given one, it counts."""

CONTROLS: Final[dict[str, Row]] = {
    "permitted": Row(),
    "permitted, large": Row(LARGE, behave=_permit),
    "permitted, through a filter": Row(change=_filtered("cat")),
}

ROWS: Final[dict[str, Row]] = {
    "authority declines": Row("env " + TOUCH),
    "command is opaque": Row("touch $(echo {mark})"),
    "duty unknown": Row("mkdir {mark}"),
    "authority gone": Row(authority=False),
    "interpreter missing": Row(change=_interpreter),
    "interpreter missing, large call": Row(LARGE, _interpreter, _permit),
    "program missing": Row(change=_program("/absent")),
    "program empty": Row(change=_program("/dev/null")),
    "program crashed": Row(change=_instead('/bin/sh -c "exit 1"')),
    "program crashed, large call": Row(LARGE, _instead('/bin/sh -c "exit 1"')),
    "program killed": Row(change=_instead('/bin/sh -c "kill -9 \\$\\$"')),
    "program refused without a word": Row(change=_instead('/bin/sh -c "exit 2"')),
    "program ended well": Row(change=_instead("/bin/true")),
    "daemon missing": Row(prepare=_nobody),
    "daemon never starts": Row(prepare=_never_starts),
    "daemon and interpreter missing": Row(change=_second_interpreter, prepare=_nobody),
    "daemon crashed": Row(behave=lambda *_: None),
    "daemon slow": Row(behave=lambda *_: time.sleep(SECONDS + 2)),
    "answer unreadable": Row(behave=lambda connection, _: connection.sendall(b"permit\n")),
    "answer half written": Row(behave=_answer(lambda data: data[:-4])),
    "answer to another call": Row(behave=_answer(lambda data: frames.answer("0" * 16, outputs.SILENT))),  # noqa: ARG005
    "answer with more behind it": Row(behave=_answer(lambda data: data + b"!")),
    "status unknown": Row(behave=lambda connection, head: connection.sendall(frames.answer(head.nonce, _SEVEN))),
    "refusal without a word": Row(behave=lambda connection, head: connection.sendall(frames.answer(head.nonce, _TWO))),
    "status of another phase": Row(behave=lambda connection, head: connection.sendall(frames.answer(head.nonce, _ONE))),
    "folder open to others": Row(behave=_permit, prepare=lambda folder: folder.chmod(0o777)),
    "folder open to others, large call": Row(LARGE, behave=_permit, prepare=lambda folder: folder.chmod(0o777)),
    "stranger's socket": Row(behave=_permit, prepare=lambda folder: os.chown(folder, 65534, -1), needs_root=True),
    "input empty": Row(change=_filtered("cat >/dev/null")),
    "input unreadable": Row(change=_filtered("sed s/^./X/")),
    "input ambiguous": Row(change=_filtered("""sed 's/}$/,"cwd":"\\/"}/'""")),
    "event unknown": Row(change=_filtered(f"sed -e '{_NAME_IT}' -e '{_RENAME_IT}'")),
    "input oversized": Row(change=_filtered("{ cat; head -c 9000000 /dev/zero; }")),
    "input never ends": Row(change=_filtered(f"{{ cat; sleep {SECONDS + 2}; }}"), behave=_permit),
}
"""Name → what is broken. The names are those of `sealgate.hooks.rows`, where it has them."""

QUICK: Final = ("authority declines", "program crashed, large call", "daemon missing", "answer half written")
"""What a slow host is driven through where time is short."""
