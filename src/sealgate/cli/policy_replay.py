"""Reads decisions of the past for ``sealgate policy replay``: evidence rows, exported rows, or recorded runs."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from sealgate.model.errors import ConfigurationError
from sealgate.policy.history import Past, Report, kept_of

Json = Any


class PastCall(msgspec.Struct, frozen=True):
    """One call of a recorded run, with what was decided about it."""

    tool: str
    arguments: dict[str, Json]
    outcome: str
    reason: str = ""
    facts: dict[str, Json] = {}
    session: dict[str, Json] = {}
    provenance: dict[str, list[str]] = {}


class PastRun(msgspec.Struct, frozen=True):
    """One line of a runs file for replay."""

    agent: str
    server: str
    calls: list[PastCall]
    task: str = ""


def from_runs(files: Iterable[Path]) -> Iterator[Past]:
    """Yield the calls of runs files, with their arguments.

    Raises:
        ConfigurationError: a file is unreadable or a line is not a run.
    """
    decoder = msgspec.json.Decoder(PastRun)
    for file in files:
        for number, line in enumerate(_lines(file), 1):
            try:
                run = decoder.decode(line)
            except msgspec.DecodeError as error:
                hint = 'each line: {"agent", "server", "calls": [{"tool", "arguments", "outcome"}]}'
                raise ConfigurationError(f"`{file}`, line {number}: not a run: {error}", hint=hint) from error
            for position, call in enumerate(run.calls):
                kept: dict[str, Json] = {}
                if call.session:
                    kept["session"] = call.session
                if call.provenance:
                    kept["provenance"] = call.provenance
                yield Past(
                    f"{file.name}:{number}:{position}",
                    run.agent,
                    call.tool,
                    ("tool_server", run.server),
                    call.outcome,
                    call.reason,
                    task=run.task or f"{file.name}:{number}",
                    arguments=call.arguments,
                    facts=call.facts,
                    kept=kept,
                )


def from_rows(rows: Iterable[dict[str, Json]]) -> Iterator[Past]:
    """Yield the decisions among rows of the evidence store."""
    for row in rows:
        if row.get("kind") != "decision" or row.get("tool") is None or row.get("agent") is None:
            continue
        rest = row.get("rest") or {}
        resource = rest.get("resource") or {}
        yield Past(
            str(row["record_id"]),
            row["agent"],
            row["tool"],
            (resource.get("type") or "tool_server", resource.get("id") or row.get("server") or ""),
            row.get("outcome") or "",
            row.get("reason") or "",
            time_ms=round(datetime.fromisoformat(row["time"]).timestamp() * 1000),
            task=row.get("task_id") or "",
            kept=kept_of(rest),
        )


def from_export(file: Path) -> Iterator[Past]:
    """Yield the decisions of a file that ``sealgate export --format jsonl`` wrote.

    Raises:
        ConfigurationError: the file is unreadable or a line is not JSON.
    """
    for number, line in enumerate(_lines(file), 1):
        try:
            row = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            raise ConfigurationError(f"`{file}`, line {number}: not JSON: {error}", hint="sealgate export") from error
        if isinstance(row, dict):
            yield from from_rows([row])


def as_json(version: str, report: Report) -> dict[str, Json]:
    """Return the whole report as one object."""
    tools: dict[str, dict[str, int]] = {}
    for (tool, became), count in sorted(report.by_tool.items()):
        tools.setdefault(tool, {})[became] = count
    return {
        "version": version,
        "decisions": report.decisions,
        "same": report.same,
        "changed": len(report.changes),
        "not_known": report.unknown,
        "left_out": report.left_out,
        "tools": tools,
        "changes": [change.as_json() for change in report.changes],
    }


def limits_of(report: Report) -> list[str]:
    """Return, in plain words, what this replay could not see."""
    told = []
    if report.unknown:
        told.append(
            f"{report.unknown} not known: their policies read arguments or claimed facts, and records keep digests only"
        )
    if report.left_out:
        told.append(f"{report.left_out} left out: paused, late or not recorded; no policy set decides that")
    return told


def _lines(file: Path) -> list[str]:
    try:
        return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"`{file}` cannot be read: {error}") from error
