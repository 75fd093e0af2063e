"""Putting the hook into a host's settings file, and taking it out again.

The file as it was is kept beside it. Taking out restores those bytes where nobody changed the file since; otherwise
only our entries are removed and the rest stays as it is now. Nothing is written unless the whole change is known.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from sealgate.hooks import documents
from sealgate.model.errors import InputError, UnavailableError

Scope = Literal["user", "project", "managed"]

_BACKUP: Final = ".sealgate-backup"
_NOTE: Final = ".sealgate-note"


@dataclass(frozen=True, slots=True)
class Changed:
    """What was done to which file."""

    path: Path
    change: Literal["installed", "unchanged", "restored", "removed", "absent"]


def settings_file(host: str, scope: Scope, environ: Mapping[str, str], project: Path) -> Path:
    """Return the file that the host reads in this scope.

    Raises:
        InputError: this host has no such file, or one that must be changed by hand.
    """
    home = Path(environ.get("HOME", "/"))
    own = {"claude": "CLAUDE_CONFIG_DIR", "codex": "CODEX_HOME", "copilot": "COPILOT_HOME"}.get(host, "")
    folder = Path(environ[own]) if environ.get(own) else home / f".{host}"
    match host, scope:
        case "claude", "managed":
            return Path("/etc/claude-code/managed-settings.json")
        case "gemini", "managed":
            return Path("/etc/gemini-cli/settings.json")
        case "cursor", "managed":
            return Path("/etc/cursor/hooks.json")
        case (("codex" | "copilot"), "managed"):
            raise InputError(f"`{host}` has no managed settings file that can be changed here", hint="see its page")
        case (("claude" | "gemini"), _):
            return (folder if scope == "user" else project / f".{host}") / "settings.json"
        case (("codex" | "cursor"), _):
            return (folder if scope == "user" else project / f".{host}") / "hooks.json"
        case "copilot", _:
            return (folder if scope == "user" else project / ".github") / "hooks" / "sealgate.json"
        case _:
            raise InputError(f"`{host}` is no host that is known here")


def install(path: Path, host: str, commands: documents.Commands, *, managed: bool = False) -> Changed:
    """Add our entries. Doing it again changes nothing.

    Raises:
        InputError: the file is not what the host would read either.
        UnavailableError: it cannot be written.
    """
    before = _read(path)
    document = documents.parse(before or b"", str(path))
    again = bool(documents.ours(document))
    wanted = documents.add(document, host, commands)
    if managed and host == "claude":
        wanted["allowManagedHooksOnly"] = True
    if wanted == document:
        return Changed(path, "unchanged")
    after = documents.dump(wanted).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The backup comes first: a crash between the two leaves a backup of the file as it still is.
        existed = before is not None if not again else bool(_read_note(path).get("existed", True))
        if not again:
            _back_up(path, before)
        _write(path, after, path.stat().st_mode & 0o777 if before is not None else 0o644)
        _write(_beside(path, _NOTE), _note(after, existed=existed), 0o600)
    except OSError as error:
        raise UnavailableError(f"`{path}` cannot be written: {error.strerror}") from error
    return Changed(path, "installed")


def uninstall(path: Path, host: str, *, managed: bool = False) -> Changed:
    """Take our entries out; where nobody touched the file since, its old bytes come back."""
    now = _read(path)
    if now is None:
        return Changed(path, "absent")
    note = _read_note(path)
    old = _read(_beside(path, _BACKUP))
    if note.get("after") == _digest(now) and (old is not None or note.get("existed") is False):
        if note.get("existed"):
            _write(path, old or b"", path.stat().st_mode & 0o777)
        else:
            path.unlink()
        change: Literal["restored", "removed"] = "restored"
    else:
        document = documents.parse(now, str(path))
        if not documents.ours(document):
            return Changed(path, "absent")
        left = documents.remove(document, host)
        if managed and host == "claude":
            left.pop("allowManagedHooksOnly", None)
        _write(path, documents.dump(left).encode(), path.stat().st_mode & 0o777)
        change = "removed"
    for suffix in (_BACKUP, _NOTE):
        _beside(path, suffix).unlink(missing_ok=True)
    return Changed(path, change)


def installed_events(path: Path) -> list[str]:
    """Return the events of a settings file that our hook stands at."""
    data = _read(path)
    return [] if data is None else documents.ours(documents.parse(data, str(path)))


def _back_up(path: Path, before: bytes | None) -> None:
    backup = _beside(path, _BACKUP)
    if before is None:
        backup.unlink(missing_ok=True)
    else:
        _write(backup, before, 0o600)


def _note(after: bytes, *, existed: bool) -> bytes:
    return json.dumps({"after": _digest(after), "existed": existed}).encode()


def _read_note(path: Path) -> dict[str, Any]:
    data = _read(_beside(path, _NOTE))
    try:
        note = json.loads(data or b"{}")
    except ValueError:
        return {}
    return note if type(note) is dict else {}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnavailableError(f"`{path}` cannot be read: {error.strerror}") from error


def _write(path: Path, data: bytes, mode: int) -> None:
    """Replace a file whole; a symbolic link stays one and its target changes."""
    target = path.resolve()
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    fresh.write_bytes(data)
    fresh.chmod(mode)
    fresh.replace(target)


def installed_commands(path: Path) -> dict[str, str]:
    """Return event → our command (or address) in a settings file."""
    data = _read(path)
    return {} if data is None else documents.commands(documents.parse(data, str(path)))
