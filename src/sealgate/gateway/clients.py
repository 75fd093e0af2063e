"""Rewriting the configuration of MCP clients, so that each server is started or reached through the gate.

The file keeps everything else that is in it. Before the first change a copy is kept beside it; ``undo`` puts that back,
unless somebody changed the file since: then it says so and changes nothing.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sealgate.gateway.pins import replace
from sealgate.model.errors import ConfigurationError, InputError

Members = dict[str, Any]

BACKUP: Final = ".before-sealgate"
NOTE: Final = ".sealgate-sha256"
_SECRET: Final = re.compile(r"(?i)token|secret|password|passwd|api_?key|credential|auth")
_TOML_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")

CLIENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "claude": ("mcpServers",),
    "cursor": ("mcpServers",),
    "vscode": ("servers",),
    "codex": ("mcp_servers",),
    "gemini": ("mcpServers",),
}
"""Client → where its configuration lists servers."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What was done: servers now behind the gate, why others are not, variables that hold a secret in the open."""

    wrapped: tuple[str, ...]
    left: Mapping[str, str]
    exposed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wrapper:
    """What a client is to start instead: our program and the options that every server gets."""

    program: str
    options: Sequence[str] = ()

    def around(self, name: str, server: Mapping[str, Any]) -> Members:
        """Return a server's entry with our program around it; its variables are handed on by name."""
        given: Mapping[str, str] = server.get("env") or {}
        environment = [item for variable in given for item in ("--env", variable)]
        command = [server["command"], *server.get("args", [])]
        arguments = ["mcp", "wrap", "--name", name, *self.options, *environment, "--", *command]
        return {**server, "command": self.program, "args": arguments}


def import_file(client: str, path: Path, wrapper: Wrapper) -> Rewritten:
    """Rewrite one configuration file.

    Raises:
        InputError: the client is not known.
        ConfigurationError: the file cannot be read, understood or written; it is unchanged then.
    """
    if client not in CLIENTS:
        raise InputError(f"client `{client[:40]}` is not known", hint=f"one of {', '.join(CLIENTS)}")
    before = _read(path)
    if path.suffix == ".toml":
        after, done = _toml(before, path, wrapper)
    else:
        after, done = _json(before, path, CLIENTS[client], wrapper)
    if done.wrapped:
        backup = path.with_name(path.name + BACKUP)
        if not backup.exists():
            replace(backup, before)
        replace(path.with_name(path.name + NOTE), _digest(after))
        replace(path, after, path.stat().st_mode & 0o777)
    return done


def undo(path: Path) -> None:
    """Put back what was there before.

    Raises:
        ConfigurationError: there is no copy, or somebody changed the file since.
    """
    backup, note = path.with_name(path.name + BACKUP), path.with_name(path.name + NOTE)
    before = _read(backup)
    if _digest(_read(path)) != _read(note):
        raise ConfigurationError(f"`{path}` was changed since", hint=f"compare it with `{backup}` by hand")
    replace(path, before, path.stat().st_mode & 0o777)
    backup.unlink()
    note.unlink()


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode() + b"\n"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"`{path}` cannot be read: {error.strerror}") from error


def _json(before: bytes, path: Path, where: Sequence[str], wrapper: Wrapper) -> tuple[bytes, Rewritten]:
    try:
        value = json.loads(before)
    except ValueError as error:
        hint = "remove comments first, or add the wrapper by hand"
        raise ConfigurationError(f"`{path}` is not JSON: {error}", hint=hint) from error
    node = value
    for name in where:
        node = node.get(name) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        raise ConfigurationError(f"`{path}` has no `{'.'.join(where)}`")
    done = _each(node, wrapper, node.__setitem__)
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n", done


def _each(servers: Mapping[str, Any], wrapper: Wrapper, put: Callable[[str, Members], None]) -> Rewritten:
    wrapped, left, exposed = [], {}, []
    for name, server in list(servers.items()):
        reason = _unfit(server)
        if reason:
            left[name] = reason
            continue
        exposed += [f"{name}: {variable}" for variable in server.get("env") or {} if _SECRET.search(variable)]
        put(name, wrapper.around(name, server))
        wrapped.append(name)
    return Rewritten(tuple(wrapped), left, tuple(exposed))


def _unfit(server: Any) -> str:
    if not isinstance(server, dict):
        return "it is not an object"
    if "url" in server or "httpUrl" in server or "serverUrl" in server:
        return "it is reached over HTTP: put it into gateway.toml and use `sealgate mcp serve`"
    arguments = server.get("args", [])
    if not isinstance(server.get("command"), str) or not isinstance(arguments, list):
        return "it has no command"
    if not all(isinstance(item, str) for item in arguments):
        return "an argument is not a text"
    return "it is behind the gate already" if arguments[:2] == ["mcp", "wrap"] else ""


def _toml(before: bytes, path: Path, wrapper: Wrapper) -> tuple[bytes, Rewritten]:
    """Rewrite ``command`` and ``args`` of each ``[mcp_servers.NAME]``, line by line; all else stays as it is."""
    try:
        text = before.decode()
        servers = tomllib.loads(text).get("mcp_servers", {})
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"`{path}` is not TOML: {error}") from error
    changed: dict[str, Members] = {}
    done = _each(servers, wrapper, changed.__setitem__)
    for name, entry in changed.items():
        text = _with_entry(text, name, entry)
    wanted = {**servers, **changed}
    if tomllib.loads(text).get("mcp_servers", {}) != wanted:
        raise ConfigurationError(f"`{path}` is written in a way that cannot be rewritten", hint="add it by hand")
    return text.encode(), done


def _with_entry(text: str, name: str, entry: Mapping[str, Any]) -> str:
    key = name if _TOML_NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)
    head = re.search(rf"^\[mcp_servers\.{re.escape(key)}\][ \t]*(#.*)?$", text, re.MULTILINE)
    if head is None:
        return text  # an inline table: the comparison afterwards refuses it
    following = re.search(r"^\[", text[head.end() :], re.MULTILINE)
    end = head.end() + following.start() if following else len(text)
    section = text[head.end() : end]
    section = re.sub(
        r"^args\s*=\s*\[(?:[^\]\"']|\"(?:[^\"\\]|\\.)*\"|'[^']*')*\][^\n]*\n?", "", section, flags=re.MULTILINE
    )
    section = re.sub(r"^command\s*=[^\n]*\n?", "", section, flags=re.MULTILINE)
    lines = f"\ncommand = {json.dumps(entry['command'])}\nargs = {json.dumps(entry['args'], ensure_ascii=False)}"
    return text[: head.end()] + lines + (section if section.startswith("\n") else "\n" + section) + text[end:]
