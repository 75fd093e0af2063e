"""The real MCP servers of the demo, as far as this machine has them."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sealgate.demo.mcp.home import Home
from sealgate.model.errors import ConfigurationError

NAMES: Final = ("git", "filesystem", "time")
_TAP: Final = Path(__file__).with_name("tap.py")
_FILESYSTEM: Final = Path("node_modules", "@modelcontextprotocol", "server-filesystem", "dist", "index.js")


def found(environment: Path) -> dict[str, list[str]]:
    """Return the command of each server in an environment that ``scripts/mcp-env`` made; ``HOME`` is the demo's home.

    Raises:
        ConfigurationError: git or time is missing; the demo has no work without them.
    """
    programs, node = environment / "python" / "bin", environment / "node_modules" / ".bin" / "node"
    commands = {
        "git": [str(programs / "mcp-server-git")],
        "filesystem": [str(node), str(environment / _FILESYSTEM), "HOME"],
        "time": [str(programs / "mcp-server-time"), "--local-timezone", "UTC"],
    }
    there = {name: command for name, command in commands.items() if all(map(_is_there, command))}
    if not {"git", "time"} <= set(there):
        raise ConfigurationError(f"`{environment}` has no MCP servers", hint='--servers "$(scripts/mcp-env)"')
    return there


def _is_there(word: str) -> bool:
    return not word.startswith("/") or Path(word).is_file()


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers over one home, each with a tap that writes down what reaches it below ``notes``."""

    known: Mapping[str, Sequence[str]]
    home: Home
    notes: Path

    def commands(self) -> dict[str, list[str]]:
        """Return each server's command."""
        self.notes.mkdir(parents=True, exist_ok=True)
        return {
            name: [sys.executable, "-P", str(_TAP), str(self._file(name)), "--", *self._placed(command)]
            for name, command in self.known.items()
        }

    def _placed(self, command: Sequence[str]) -> list[str]:
        return [str(self.home.folder) if word == "HOME" else word for word in command]

    def environment(self) -> dict[str, str]:
        """Return the variables that every server gets: this machine's git configuration does not count."""
        return {"HOME": str(self.home.folder), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}

    def reached(self, tool: str | None = None) -> list[dict[str, Any]]:
        """Return the requests that reached a server, of all tools or of one; other methods only where all are asked."""
        lines = [
            json.loads(line)
            for name in self.known
            if self._file(name).is_file()
            for line in self._file(name).read_text("utf-8").splitlines()
        ]
        return [line for line in lines if tool is None or (line["params"] or {}).get("name") == tool]

    def update(self, name: str, descriptions: Mapping[str, str]) -> None:
        """Let a server describe some of its tools differently from now on."""
        Path(f"{self._file(name)}.update").write_text(json.dumps(dict(descriptions)), encoding="utf-8")

    def _file(self, name: str) -> Path:
        return self.notes / f"{name}.jsonl"
