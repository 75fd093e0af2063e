"""The folder that hook program and daemon share: the socket, the daemon's settings, its start command.

It belongs to who runs the daemon, and nobody else may write to it: the hook program refuses otherwise. For one user it
is below ``XDG_STATE_HOME``; for managed machines it belongs to a user of its own and the daemon is a service.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from sealgate.hooks.outputs import OnApproval, OnPermit
from sealgate.model.errors import ConfigurationError, InputError

MANAGED_FOLDER: Final = Path("/var/lib/sealgate-hooks")
SELF_TIMEOUT_S: Final = 10.0
"""After so long the hook program refuses by itself."""

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


def program() -> Path:
    """Return the path of the hook program."""
    return Path(__file__).with_name("program.py")


def command(phase: str, host: str, folder: Path) -> str:
    """Return the shell command for a host's settings.

    What follows ``||`` refuses where the program could not: not installed, crashed, killed.
    """
    words = [os.path.realpath(sys.executable), "-I", "-S", "-B", str(program()), phase, host, str(folder)]
    if any("'" in word for word in words):
        raise InputError("a path with a quote cannot be written into a host's settings")
    start = " ".join(f"'{word}'" if "/" in word else word for word in words)
    if phase == "after":
        return f"{start} {SELF_TIMEOUT_S:g}"
    otherwise = 's=$?; [ $s -eq 2 ] || echo "sealgate: the hook ended with status $s, so the tool does not run" >&2'
    return f"{start} {SELF_TIMEOUT_S:g} || {{ {otherwise}; exit 2; }}"


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o600)
    temporary.replace(path)
