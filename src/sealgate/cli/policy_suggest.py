"""``sealgate policy suggest``: a proposal becomes a policy directory that our own commands accept."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from sealgate.encoding import canonical
from sealgate.model.errors import ConfigurationError
from sealgate.policy.stub import DEFAULT_STUB, read_stub
from sealgate.policy.suggest import Call, Suggestion, suggest
from sealgate.policy.tools import read_tool
from sealgate.policy.type_names import cedar_string

from .policy_directory import read_tool_lists

Json = Any

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
MAX_RUNS: Final = 100_000


class RecordedCall(msgspec.Struct, frozen=True):
    """One call of a benign run."""

    tool: str
    arguments: dict[str, Json] = {}


class Run(msgspec.Struct, frozen=True):
    """One line of a runs file."""

    calls: list[RecordedCall]


def read_tasks(file: Path) -> list[str]:
    """Return the task descriptions of a file: JSON (a list of texts or of ``{"text": …}``), or one in each line.

    Raises:
        ConfigurationError: the file is unreadable or holds none.
    """
    text = _text(file)
    tasks: list[Json]
    if file.suffix == ".json":
        value: Json = canonical.parse(text.encode(), max_bytes=MAX_LINE_BYTES, max_depth=8)
        tasks = value if isinstance(value, list) else value.get("tasks", []) if isinstance(value, dict) else []
    else:
        tasks = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = [task.get("text") if isinstance(task, dict) else task for task in tasks]
    if not found or not all(isinstance(task, str) for task in found):
        raise ConfigurationError(f"`{file}` has no task descriptions", hint="write one task in each line")
    return [str(task) for task in found]


def read_runs(files: list[Path]) -> Iterator[list[Call]]:
    """Yield the calls of each run: a line ``{"calls": [{"tool": …, "arguments": {…}}]}`` each.

    Raises:
        ConfigurationError: a file is unreadable or a line is not a run.
    """
    decoder = msgspec.json.Decoder(Run)
    for file in files:
        for number, line in enumerate(_text(file).splitlines(), 1):
            if number > MAX_RUNS or len(line) > MAX_LINE_BYTES:
                raise ConfigurationError(f"`{file}`, line {number}: too large", hint="give fewer or smaller runs")
            if not line.strip():
                continue
            try:
                run = decoder.decode(line)
            except msgspec.DecodeError as error:
                hint = 'write {"calls": [{"tool": "…", "arguments": {}}]} in each line'
                raise ConfigurationError(f"`{file}`, line {number}: not a run: {error}", hint=hint) from error
            yield [Call(call.tool, call.arguments) for call in run.calls]


def propose(tools: Path, tasks: list[str], runs: list[list[Call]], agent: str) -> tuple[Suggestion, list[Json]]:
    """Return the proposal and the tool lists it is for.

    Raises:
        ConfigurationError: there are no tool definitions.
    """
    lists = read_tool_lists(tools)
    definitions = [(read_tool(tool, entry["server"]), tool) for entry in lists for tool in entry["tools"]]
    if not definitions:
        raise ConfigurationError(f"`{tools}` has no tool definitions", hint="give the result of tools/list")
    return suggest(read_stub(DEFAULT_STUB), definitions, tasks, runs, agent=agent), lists


def write(folder: Path, suggestion: Suggestion, tools: list[Mapping[str, Json]]) -> None:
    """Write a policy directory; an existing one is never touched.

    Raises:
        ConfigurationError: there is something already, or the folder cannot be written.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"`{folder}` is not empty", hint="name a new folder")
    files = {f"policies/{stem}.cedar": text for stem, text in suggestion.policies.items()}
    files["tests/suggested.json"] = _lines("tests", suggestion.tests)
    if suggestion.limits:
        files["limits.toml"] = _limits(suggestion.limits)
    for entry in tools:
        files[f"tools/{_file_name(entry['server'])}.json"] = json.dumps(entry, indent=1, ensure_ascii=False) + "\n"
    try:
        for name, text in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"`{folder}` cannot be written: {error}") from error


def _lines(name: str, items: tuple[Mapping[str, Json], ...]) -> str:
    lines = ",\n ".join(json.dumps(item, ensure_ascii=False) for item in items)
    return f'{{"{name}": [\n {lines}\n]}}\n'


def _limits(limits: tuple[Mapping[str, Json], ...]) -> str:
    tables = ["# Proposed by `sealgate policy suggest`: twice the largest amount seen; counts as seen."]
    for limit in limits:
        values = ((name, value if isinstance(value, int) else cedar_string(value)) for name, value in limit.items())
        members = (f"{name} = {value}" for name, value in values)
        tables.append("\n".join(["[[limit]]", *members]))
    return "\n\n".join(tables) + "\n"


def _file_name(server: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "_", server)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"`{file}` cannot be read: {error}") from error
