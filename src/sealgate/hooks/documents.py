"""Settings files of hosts, changed so that the change can be taken back exactly. Pure: text in, text out.

Our entries are added to a JSON document and nothing else of it changes its meaning. They are known by the path of the
hook program in their command (or our address), so that foreign hooks are never touched, and a second installation
replaces the first.
"""

import json
from typing import Any, Final

from sealgate.hooks.events import EVENTS
from sealgate.hooks.settings import HOST_TIMEOUT_S
from sealgate.model.errors import InputError

MARKS: Final = ("sealgate/hooks/program.py", "/sealgate-hook/")

Members = dict[str, Any]
Commands = dict[str, str]
"""Phase → shell command (or, for the ``http`` form, address)."""


def parse(data: bytes, path: str) -> Members:
    """Return a settings file's document.

    Raises:
        InputError: it is not a JSON object, so it cannot be changed without guessing.
    """
    if not data.strip():
        return {}
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
    except ValueError as error:
        raise InputError(f"`{path}` is not JSON: {error}", hint="repair it, or add the hooks by hand") from error
    if type(document) is not dict or type(document.get("hooks", {})) is not dict:
        raise InputError(f"`{path}` does not hold an object of hooks", hint="repair it, or add the hooks by hand")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> Members:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key comes twice")
    return members


def dump(document: Members) -> str:
    """Return the text of a changed document."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def add(document: Members, host: str, commands: Commands) -> Members:
    """Return the document with our entries, those of an earlier installation replaced."""
    changed = remove(document, host)
    hooks = dict(changed.get("hooks", {}))
    for event, phase in EVENTS[host].items():
        listed = hooks.get(event, [])
        if type(listed) is not list:
            raise InputError(f"the hooks of `{event}` are not a list")
        hooks[event] = [*listed, _entry(host, commands[phase], phase)]
    start: Members = {"version": 1} if host in ("copilot", "cursor") else {}
    return {**start, **changed, "hooks": hooks}


def remove(document: Members, host: str) -> Members:
    """Return the document without our entries; what is left empty by that goes too."""
    del host
    hooks: Members = {}
    for event, listed in document.get("hooks", {}).items():
        if type(listed) is not list or not any(_is_ours(entry) for entry in listed):
            hooks[event] = listed
            continue
        kept = [item for entry in listed if (item := _without_ours(entry)) is not None]
        if kept:
            hooks[event] = kept
    rest = {key: value for key, value in document.items() if key != "hooks"}
    return {**rest, "hooks": hooks} if hooks else rest


def ours(document: Members) -> list[str]:
    """Return the events that hold an entry of ours."""
    hooks = document.get("hooks", {})
    return [name for name, listed in hooks.items() if type(listed) is list and any(map(_is_ours, listed))]


def commands(document: Members) -> Commands:
    """Return event → our command."""
    found: Commands = {}
    for event, listed in document.get("hooks", {}).items():
        for entry in listed if type(listed) is list else ():
            nested = entry.get("hooks") if type(entry) is dict else None
            for hook in nested if type(nested) is list else [entry]:
                if _is_ours(hook):
                    found[event] = _command(hook)
    return found


def _entry(host: str, command: str, phase: str) -> Members:
    if host == "cursor":
        failing = {"failClosed": True} if phase == "before" else {}
        return {"command": command, "timeout": HOST_TIMEOUT_S, **failing}
    if host == "copilot":
        return {"type": "command", "bash": command, "timeoutSec": HOST_TIMEOUT_S}
    hook: Members = {"type": "command", "command": command, "timeout": HOST_TIMEOUT_S}
    if host == "gemini":
        hook = {"name": "sealgate", **hook, "timeout": HOST_TIMEOUT_S * 1000}
    if command.startswith("http://"):
        hook = {"type": "http", "url": command, "timeout": HOST_TIMEOUT_S}
    if host == "claude" and phase == "before":
        hook["onFailure"] = "block"
    return {"matcher": ".*" if host == "gemini" else "*", "hooks": [hook]}


def _command(hook: Any) -> str:
    if type(hook) is not dict:
        return ""
    return " ".join(value for key in ("command", "bash", "url") if type(value := hook.get(key)) is str)


def _is_ours(entry: Any) -> bool:
    if type(entry) is dict and type(entry.get("hooks")) is list:
        return any(_is_ours(hook) for hook in entry["hooks"])
    return any(mark in _command(entry) for mark in MARKS)


def _without_ours(entry: Any) -> Any:
    """Return the entry without our hooks, or None if nothing is left of it."""
    if not _is_ours(entry):
        return entry
    if type(entry) is dict and type(entry.get("hooks")) is list:
        foreign = [hook for hook in entry["hooks"] if not _is_ours(hook)]
        return {**entry, "hooks": foreign} if foreign else None
    return None
