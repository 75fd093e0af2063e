"""The folder that hook program and daemon share: the socket, the daemon's settings, its start command.

It belongs to who runs the daemon, and nobody else may write to it: the hook program refuses otherwise. For one user it
is below ``XDG_STATE_HOME``; for managed machines it belongs to a user of its own and the daemon is a service.
"""

import json
import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from sealgate.hooks.outputs import OnApproval, OnPermit
from sealgate.hooks.program import PASS, REFUSE
from sealgate.model.errors import ConfigurationError, InputError

Client = Literal["perl", "python"]
"""Which of the two hook programs a host starts."""

PERL: Final = "/usr/bin/perl"
MANAGED_FOLDER: Final = Path("/var/lib/sealgate-hooks")
SELF_TIMEOUT_S: Final = 10
"""After so long the hook program refuses by itself. Whole seconds: Perl's alarm has no others."""

HOST_TIMEOUT_S: Final = 600
"""What the host is told. Far longer: most hosts run the tool when a hook outlasts it, so that must not happen first."""

TIMEOUT_S: Final = 5.0
"""Bound of one exchange with the authority."""


@dataclass(frozen=True, slots=True)
class HookSettings:
    """What the daemon needs to know. ``agents`` names the agent of each host in policies."""

    socket: str | None = None
    url: str | None = None
    api_key_file: str | None = None
    ca_file: str | None = None
    spool: str | None = None
    on_permit: OnPermit = "stand-aside"
    on_approval: OnApproval = "refuse"
    http_port: int = 0
    agents: dict[str, str] = field(default_factory=dict)


def default_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of this user."""
    state = environ.get("XDG_STATE_HOME")
    home = Path(state) if state else Path(environ.get("HOME", "/")) / ".local" / "state"
    return home / "sealgate" / "hooks"


def write(folder: Path, settings: HookSettings) -> None:
    """Write settings and start command; make the folder if there is none."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700 if folder != MANAGED_FOLDER else 0o755)
    _replace(folder / "settings.json", json.dumps(asdict(settings), indent=2) + "\n")
    command = [sys.executable, "-m", "sealgate.hooks.daemon", str(folder)]
    _replace(folder / "start", "\0".join(command))


def read(folder: Path) -> HookSettings:
    """Read the settings.

    Raises:
        ConfigurationError: they are missing or unreadable.
    """
    try:
        members: dict[str, Any] = json.loads((folder / "settings.json").read_text("utf-8"))
        return HookSettings(**members)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"the settings in `{folder}` cannot be read: {error}", hint="sealgate hook install HOST"
        ) from error


def program(client: Client = "python") -> Path:
    """Return the path of the hook program."""
    return Path(__file__).with_name("program.pl" if client == "perl" else "program.py")


def client() -> Client:
    """Return the quicker of the two programs that runs on this machine: ``program.pl`` has most Linuxes' numbers."""
    numbers = (socket.AF_UNIX, socket.SOCK_STREAM, socket.SOL_SOCKET, getattr(socket, "SO_PEERCRED", None))
    return "perl" if os.access(PERL, os.X_OK) and numbers == (1, 1, 1, 17) else "python"


def command(phase: str, host: str, folder: Path, *, by: Client | None = None, seconds: int = SELF_TIMEOUT_S) -> str:
    """Return the shell command for a host's settings.

    It becomes ``/bin/sh``, whatever shell the host gives it to. Only the statuses of our own programs count;
    whatever else they end with (not installed, empty, crashed, killed) refuses: in words, for without words Codex and
    Gemini take no status for a refusal, and after the input was read, for a host that cannot write it may give up.
    """
    python = [os.path.realpath(sys.executable), "-I", "-S", "-B", str(program())]
    asked = [phase, host, str(folder), str(seconds)]
    if (by or client()) == "perl":
        words = [PERL, "-T", str(program("perl")), *asked, python[0], python[-1]]
    else:
        words = [*python, *asked]
    if any("'" in word for word in words):
        raise InputError("a path with a quote cannot be written into a host's settings")
    script = _BEFORE if phase == "before" else _AFTER
    return f"{_START}{script}{_NAME} {' '.join(_quoted(word) for word in words)}"


_START: Final = "exec /bin/sh -c '"
_NAME: Final = "' sealgate"

# A locale of its own: Perl opens a dozen files for any other.
_WHY: Final = '"sealgate: the hook ended with status $s, so the tool does not run"'
_UNKNOWN: Final = f"timeout 5 cat >/dev/null 2>&1; echo {_WHY} >&2; exit 2"
_BEFORE: Final = f'LC_ALL=C "$@"; s=$?; [ $s = {PASS} ] && exit 0; [ $s = {REFUSE} ] && exit 2; {_UNKNOWN}'
_AFTER: Final = f'LC_ALL=C "$@"; [ $? = {PASS} ] && exit 0; exit 1'


def is_current(command: str) -> bool:
    """Tell whether a command in a host's settings is one that this version writes for the time before a call."""
    return command.startswith(_START + _BEFORE)


def files(command: str) -> list[str]:
    """Return the places that a command needs."""
    return re.findall(r" '(/[^']*)'", command)


def without_program(command: str) -> str:
    """Return the same command with nothing to start."""
    return command[: command.index(_NAME)] + f"{_NAME} /absent"


def _quoted(word: str) -> str:
    return f"'{word}'" if "/" in word else word


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o600)
    temporary.replace(path)
