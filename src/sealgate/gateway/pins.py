"""Which definition of each tool was approved, per server: a file, replaced whole, shared by all gateways of a user.

A tool that was not there when its server was first seen, or that says something else than then, is *quarantined*: it
is hidden and cannot be called until a person approves it. A rename is a new tool, so it does not slip through either;
that it looks renamed is said, to help the person who decides. The digest covers everything that a model or a client is
told about a tool but for ``_meta`` and ``icons``.

Trusted: whoever can write the file. A crash while it is replaced leaves the former one.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from sealgate.encoding import canonical
from sealgate.gateway import methods
from sealgate.model.errors import ConfigurationError, EncodingError, InputError, SealgateError
from sealgate.model.identifiers import require_name

FORMAT: Final = "sealgate-pins/v1"
MAX_BYTES: Final = 64 * 1024 * 1024
MAX_TOOLS: Final = 2000
"""Tools of one server."""

_UNSAID: Final = frozenset({"_meta", "icons"})
_DEPTH: Final = 48

Definition = dict[str, Any]


def digest(definition: Mapping[str, Any]) -> str:
    """Return lower-case hex SHA-256 of what a definition says.

    Raises:
        EncodingError: it has no exact form.
    """
    said = {key: value for key, value in definition.items() if key not in _UNSAID}
    return canonical.sha256(canonical.encode_arguments(said, max_bytes=1 << 22, max_depth=_DEPTH)).hex()


def published_digest(definition: Mapping[str, Any]) -> str:
    """Return the digest by which a policy set knows this definition: of the whole of it."""
    return canonical.sha256(canonical.encode_arguments(dict(definition), max_bytes=1 << 22, max_depth=_DEPTH)).hex()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a server offers at the moment: the tools that may be used, and why each other one may not."""

    usable: Mapping[str, Definition]
    quarantined: Mapping[str, str] = field(default_factory=dict)


class Pins:
    """The pins of one file. A missing file holds none.

    Args:
        path: the file.
        trust_first: whether what a server offers when it is first seen counts as approved.
    """

    def __init__(self, path: Path, *, trust_first: bool = True) -> None:
        self.path = path
        self._trust_first = trust_first

    def observe(self, server: str, offered: Iterable[Any]) -> Seen:
        """Compare what a server offers with what was approved; remember what is new.

        Raises:
            ConfigurationError: the file cannot be read or written; nothing may be used then.
        """
        named, refused = _named(offered)
        with self._locked() as servers:
            first = server not in servers
            pinned: dict[str, Any] = servers.setdefault(server, {})
            before = orjson.dumps(servers, option=orjson.OPT_SORT_KEYS)
            missing = {_nameless(pin["definition"]): name for name, pin in pinned.items() if name not in named}
            for name, definition in named.items():
                reason = self._judge(pinned, name, definition, missing, approve=first and self._trust_first)
                if reason:
                    refused[name] = reason
            if orjson.dumps(servers, option=orjson.OPT_SORT_KEYS) != before or first:
                self._write(servers)
        return Seen({name: item for name, item in named.items() if name not in refused}, refused)

    def _judge(
        self, pinned: dict[str, Any], name: str, definition: Definition, missing: Mapping[str, str], *, approve: bool
    ) -> str:
        """Return why a tool may not be used, or nothing; remember what was offered."""
        said = digest(definition)
        pin = pinned.get(name)
        if pin is not None and pin["approved"] == said:
            pin["offered"], pin["definition"], pin["reason"] = said, definition, ""
            return ""
        if pin is None and approve:
            pinned[name] = {"approved": said, "offered": said, "definition": definition, "reason": ""}
            return ""
        if pin is None or pin["approved"] is None:
            former = missing.get(_nameless(definition))
            reason = f"it looks like `{former}` renamed" if former else "it is new since its server was approved"
        else:
            reason = "its definition changed since it was approved"
        pinned[name] = {
            "approved": None if pin is None else pin["approved"],
            "offered": said,
            "definition": definition,
            "reason": reason,
        }
        return reason

    def approve(self, server: str, tool: str | None = None) -> list[str]:
        """Approve what a server offers now, one tool or all of it; return the names.

        Raises:
            InputError: there is no such server or tool.
        """
        with self._locked() as servers:
            pinned = servers.get(server)
            if pinned is None:
                raise InputError(f"no server `{server[:80]}` was seen", hint="`sealgate mcp pins` shows all")
            if tool is not None and tool not in pinned:
                raise InputError(f"server `{server}` has offered no tool `{tool[:80]}`")
            names = [tool] if tool is not None else sorted(pinned)
            for name in names:
                pinned[name]["approved"], pinned[name]["reason"] = pinned[name]["offered"], ""
            self._write(servers)
        return names

    def all(self) -> dict[str, dict[str, Any]]:
        """Return server → tool → pin (``approved``, ``offered``, ``definition``, ``reason``)."""
        with self._locked() as servers:
            return servers

    def newest(self) -> tuple[int, int, int]:
        """Return what changes whenever the file does, to notice an approval."""
        try:
            status = self.path.stat()
        except OSError:
            return 0, 0, 0
        return status.st_ino, status.st_mtime_ns, status.st_size

    @contextmanager
    def _locked(self) -> Iterator[dict[str, Any]]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(f"pins at `{self.path}` cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._read()
        finally:
            os.close(lock)

    def _read(self) -> dict[str, Any]:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ConfigurationError(f"pins at `{self.path}` cannot be read: {error.strerror}") from error
        try:
            value = canonical.parse(data, max_bytes=MAX_BYTES, max_depth=_DEPTH + 8)
        except EncodingError as error:
            raise ConfigurationError(f"pins at `{self.path}` are damaged: {error.message}") from error
        match value:
            case {"format": "sealgate-pins/v1", "servers": dict() as servers}:
                return servers
        raise ConfigurationError(f"`{self.path}` is not a file of pins", hint="move it away and approve again")

    def _write(self, servers: Mapping[str, Any]) -> None:
        data = orjson.dumps({"format": FORMAT, "servers": servers}, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
        replace(self.path, data + b"\n")


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace a file whole and durably; a crash leaves the former or the new one.

    Raises:
        ConfigurationError: the disk refuses.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise ConfigurationError(f"`{path}` cannot be written: {error.strerror}") from error


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _nameless(definition: Mapping[str, Any]) -> str:
    return digest({key: value for key, value in definition.items() if key != "name"})


def _named(offered: Iterable[Any]) -> tuple[dict[str, Definition], dict[str, str]]:
    """Return the tools that can be told apart, and why others cannot be used."""
    named: dict[str, Definition] = {}
    refused: dict[str, str] = {}
    for item in offered:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            continue
        name = item["name"]
        try:
            require_name(name, "tool")
            digest(item)
        except SealgateError:
            refused[name[:80]] = "its definition has no exact form"
            continue
        if name in named or name in refused:
            refused[name] = "its server offers two tools of this name"
        elif name in methods.DEFINITIONS or len(named) >= MAX_TOOLS:
            refused[name] = "its name is that of a method, or its server offers too many tools"
        else:
            named[name] = item
    return {name: item for name, item in named.items() if name not in refused}, refused
