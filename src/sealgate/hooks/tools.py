"""A host's tool call as questions for policies: our tools, structured arguments. Pure; resolving paths is passed in.

One vocabulary for all hosts, so that one policy serves them all; which host it is, is the resource. A call becomes one
question for each thing that it does (each command of a line, each file of a patch), and runs only if all are permitted.
What a call writes is told by digest and size. A tool that is not known here becomes ``code.other`` with its name.
"""

import hashlib
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sealgate.encoding import canonical
from sealgate.hooks.events import Event
from sealgate.hooks.shell import Command, parse
from sealgate.model.errors import EncodingError, InputError

MAX_TEXT_CHARS: Final = 4000
"""A command, a pattern, a query as it is told to the authority; a longer one is told by digest, and is opaque."""

MAX_ACTS: Final = 32

Resolve = Callable[[str, str], str]
"""(folder, path as given) → absolute path, symbolic links followed as they are now."""


@dataclass(frozen=True, slots=True)
class Act:
    """One question: may this tool of this server be called with these arguments?"""

    tool: str
    server: str
    arguments: dict[str, Any]


def acts(event: Event, resolve: Resolve) -> list[Act]:
    """Return what the call does, at least one thing.

    Raises:
        InputError: an argument that says what it does is missing or of another type.
    """
    if event.mcp is not None:
        return [Act("/".join(event.mcp), event.mcp[0], event.arguments)]
    if event.tool.startswith("mcp__") and event.tool.count("__") >= 2:
        _, server, tool = event.tool.split("__", 2)
        return [Act(f"{server}/{tool}", server, event.arguments)]
    if event.host == "cursor" and event.name == "beforeMCPExecution":
        server = _text(event.arguments, "server") or "unknown"
        return [Act(f"{server}/{_text(event.arguments, 'tool')}", server, event.arguments["arguments"])]
    call = _Call(event, resolve)
    found = _TOOLS.get(event.tool, _Call.other)(call)
    if len(found) > MAX_ACTS:
        raise InputError(f"the call does more than {MAX_ACTS} things at once")
    return found


class _Call:
    """One call, and the ways to read it."""

    def __init__(self, event: Event, resolve: Resolve) -> None:
        self._event = event
        self._given = event.arguments
        self._resolve = resolve
        said = {key: value for key, value in event.arguments.items() if key != "description"}
        try:
            self._digest = hashlib.sha256(canonical.encode_arguments(said, max_bytes=1 << 25, max_depth=64)).hexdigest()
        except EncodingError as error:
            raise InputError(f"the tool's input cannot be judged: {error.message}") from error

    def _act(self, tool: str, **arguments: Any) -> Act:
        return Act(f"code.{tool}", self._event.host, {**arguments, "input_sha256": self._digest})

    def _path(self, name: str) -> str:
        if "\0" in name:
            raise InputError("a path has a NUL")
        return self._resolve(self._event.folder, name)

    def _inside(self, path: str) -> bool:
        root = self._resolve(self._event.folder, ".") if self._event.folder else ""
        return bool(root) and root != "/" and (path == root or path.startswith(root + "/"))

    def _place(self, *, optional: bool = False) -> str:
        for key in _PATHS:
            if self._given.get(key) not in (None, ""):
                return self._path(_text(self._given, key))
        if optional:
            return self._path(".")
        raise InputError("the tool's input names no path")

    def shell(self) -> list[Act]:
        """Ask for each command of the line."""
        command = self._given.get("command", self._given.get("cmd"))
        if type(command) is list and command and all(type(word) is str for word in command):
            command = command[2] if len(command) == 3 and command[1] in ("-c", "-lc") else shlex.join(command)
        if type(command) is not str or not command.strip():
            raise InputError("the tool's input has no command")
        folder = self._given.get("dir_path") or self._given.get("workdir") or self._given.get("directory") or ""
        if type(folder) is not str:
            raise InputError("the command's folder is not a text")
        commands = parse(command) if len(command) <= MAX_TEXT_CHARS else [_TOO_LONG]
        return [self._command(item, command, self._path(folder or ".")) for item in commands]

    def _command(self, item: Command, line: str, folder: str) -> Act:
        words = item.words
        places = [place for word in words if (place := _place_in(word))]
        touched = {place: self._resolve(folder, place) for place in (*places, *item.writes, *item.reads)}
        return self._act(
            "shell",
            command=_short(line),
            line=shlex.join((item.program, *words)) if item.program else "",
            program=item.program,
            subcommand=next((word for word in words if not word.startswith("-")), ""),
            flags=sorted({word for word in words if word.startswith("-")}),
            operands=sorted({word for word in words if not word.startswith("-")}),
            writes=sorted({touched[place] for place in item.writes}),
            reads=sorted({touched[place] for place in item.reads}),
            outside=sorted({path for path in touched.values() if not self._inside(path)}),
            expands=item.expands,
            opaque=not item.program,
            why_opaque=item.why_opaque,
            background=self._given.get("run_in_background") is True or self._given.get("is_background") is True,
            cwd=folder,
        )

    def typed(self) -> list[Act]:
        """Ask for input into a running shell: nobody knows what it means there."""
        return [self._command(_TYPED, str(self._given.get("chars", self._given.get("input", ""))), self._path("."))]

    def read(self) -> list[Act]:
        """Ask for each file that is read."""
        several = next((self._given[key] for key in ("paths", "include") if type(self._given.get(key)) is list), None)
        names = [self._place()] if several is None else [self._path(name) for name in several if type(name) is str]
        if not names or (several is not None and len(names) != len(several)):
            raise InputError("the tool's input names no path")
        return [self._act("read", path=name, inside=self._inside(name)) for name in names]

    def search(self) -> list[Act]:
        """Ask for a search below one folder."""
        path = self._place(optional=True)
        pattern = _short(str(self._given.get("pattern", self._given.get("query", ""))))
        return [self._act("search", path=path, pattern=pattern, inside=self._inside(path))]

    def write(self) -> list[Act]:
        """Ask for the file that is written."""
        path = self._place()
        change = "delete" if self._event.tool in ("Delete", "delete_file") else "write"
        return [self._written(path, change)]

    def _written(self, path: str, change: str) -> Act:
        sizes = (len(value.encode("utf-8", "replace")) for value in self._given.values() if type(value) is str)
        return self._act("write", path=path, change=change, size_bytes=sum(sizes), inside=self._inside(path))

    def editor(self) -> list[Act]:
        """Ask for one command of an editor with several."""
        return self.read() if self._given.get("command") == "view" else self.write()

    def patch(self) -> list[Act]:
        """Ask for each file of a patch."""
        text = next((self._given[key] for key in ("command", "input", "patch", "text") if key in self._given), None)
        if type(text) is list:
            text = text[-1] if text else None
        if type(text) is not str:
            raise InputError("the tool's input has no patch")
        files = _PATCHED.findall(text)
        if not files or len(files) != text.count("\n*** ") - text.count("\n*** End"):
            raise InputError("the patch cannot be read")
        return [self._written(self._path(name.strip()), _CHANGES[kind]) for kind, name in files]

    def fetch(self) -> list[Act]:
        """Ask for each address that is fetched."""
        given = self._given.get("url", self._given.get("prompt", ""))
        addresses = _URL.findall(given) if type(given) is str else []
        if not addresses:
            raise InputError("the tool's input names no address")
        return [self._act("fetch", url=_short(address)) for address in addresses]

    def web_search(self) -> list[Act]:
        """Ask for a search on the web."""
        return [self._act("web_search", query=_short(_text(self._given, "query")))]

    def agent(self) -> list[Act]:
        """Ask for a sub-agent; its own calls come through the same hook."""
        kind = self._given.get("subagent_type", self._given.get("agent_type", ""))
        return [self._act("agent", kind=kind if type(kind) is str else "")]

    def other(self) -> list[Act]:
        """Ask for a tool that is not known here, by its name."""
        return [self._act("other", name=self._event.tool[:256])]


_TOO_LONG: Final = Command("", why_opaque="the line is too long")
_TYPED: Final = Command("", why_opaque="input into a running shell")
_PATHS: Final = (
    "file_path",
    "path",
    "absolute_path",
    "notebook_path",
    "filePath",
    "target_file",
    "dir_path",
    "relative_workspace_path",
)
_PATCHED: Final = re.compile(r"^\*\*\* (Add File|Update File|Delete File|Move to): (.+)$", re.MULTILINE)
_CHANGES: Final = {"Add File": "write", "Update File": "write", "Delete File": "delete", "Move to": "write"}
_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s<>\"']+")

_TOOLS: Final[dict[str, Callable[[_Call], list[Act]]]] = {
    **dict.fromkeys(
        ("Bash", "bash", "shell", "local_shell", "exec_command", "run_shell_command", "Shell", "run_terminal_cmd"),
        _Call.shell,
    ),
    **dict.fromkeys(("write_stdin", "write_bash", "send_input"), _Call.typed),
    **dict.fromkeys(("Read", "read_file", "read_many_files", "view", "view_image"), _Call.read),
    **dict.fromkeys(
        ("Glob", "Grep", "LS", "glob", "grep", "grep_search", "search_file_content", "list_directory", "rg", "List"),
        _Call.search,
    ),
    **dict.fromkeys(
        ("Write", "Edit", "MultiEdit", "NotebookEdit", "write_file", "replace", "create", "edit", "edit_file"),
        _Call.write,
    ),
    **dict.fromkeys(("StrReplace", "str_replace", "insert", "Delete", "delete_file"), _Call.write),
    "str_replace_editor": _Call.editor,
    "apply_patch": _Call.patch,
    **dict.fromkeys(("WebFetch", "web_fetch"), _Call.fetch),
    **dict.fromkeys(("WebSearch", "google_web_search", "web_search"), _Call.web_search),
    **dict.fromkeys(("Task", "Agent", "task", "spawn_agent"), _Call.agent),
}


def _place_in(word: str) -> str:
    """Return what may be a place in a word: an operand, the value of an option."""
    if not word.startswith("-"):
        return word
    _, equals, value = word.partition("=")
    if equals:
        return value
    return word[word.index("/") :] if "/" in word else word[word.index("..") :] if ".." in word else ""


def _short(text: str) -> str:
    if len(text) <= MAX_TEXT_CHARS:
        return text
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if type(value) is not str:
        raise InputError(f"`{name}` is missing or not a text")
    return value
