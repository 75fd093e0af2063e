"""Asks Codex itself whether it runs a hook: one that was not trusted, or that changed since, it skips without a word.

Its ``app-server`` answers JSON lines on standard input and output; nothing is started or sent anywhere.
"""

import json
import os
import select
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

_TIMEOUT_S: Final = 20.0
_MAX_BYTES: Final = 1 << 22
_RUNS: Final = ("trusted", "managed")


def skipped(binary: str, environ: Mapping[str, str], project: Path, commands: dict[str, str]) -> list[str] | None:
    """Return the events whose command Codex skips, with its word for why; None when it does not say."""
    asked: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "sealgate", "version": "1"}}},
        {"method": "initialized"},
        {"id": 2, "method": "hooks/list", "params": {"cwds": [str(project)]}},
    ]
    try:
        with subprocess.Popen(  # noqa: S603  # the host itself
            [binary, "app-server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
        ) as server:
            try:
                answer = _ask(server, asked)
            finally:
                server.kill()
    except OSError:
        return None
    return None if answer is None else _skipped(answer, commands)


def _ask(server: "subprocess.Popen[bytes]", asked: list[dict[str, Any]]) -> Any:
    if server.stdin is None or server.stdout is None:
        return None
    server.stdin.write("".join(json.dumps(item) + "\n" for item in asked).encode())
    server.stdin.flush()
    return next((item["result"] for item in _lines(server.stdout) if item.get("id") == 2 and "result" in item), None)


def _lines(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the objects that come until time is over."""
    deadline = time.monotonic() + _TIMEOUT_S
    held = b""
    while len(held) < _MAX_BYTES and select.select([stream], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = os.read(stream.fileno(), 1 << 16)
        if not part:
            return
        *whole, held = (held + part).split(b"\n")
        for line in whole:
            try:
                item = json.loads(line)
            except ValueError:
                continue
            if type(item) is dict:
                yield item


def _skipped(answer: Any, commands: dict[str, str]) -> list[str] | None:
    try:
        states = {
            hook["command"]: hook["trustStatus"] if hook["enabled"] else "disabled"
            for folder in answer["data"]
            for hook in folder["hooks"]
            if "command" in hook
        }
    except (KeyError, TypeError):
        return None
    found = {event: states.get(command, "unknown to it") for event, command in commands.items()}
    return [f"{event} ({state})" for event, state in found.items() if state not in _RUNS]
