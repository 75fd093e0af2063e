"""``sealgate policy suggest``, ``replay`` and ``init``: first policies, and what a change would have decided."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import orjson

from sealgate.cli._paths import GivenPath
from sealgate.model.errors import ConfigurationError, InputError
from sealgate.policy import DecisionPoint
from sealgate.policy.history import Past, replay
from sealgate.policy.lint import lint

from . import _reading, policy_packs, policy_replay, policy_suggest
from .policy_directory import read_directory, read_tests
from .policy_tests import run

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_path = GivenPath()
_SHOWN: Final = 50


@click.command("suggest")
@click.argument("tools", type=_path)
@click.argument("directory", type=_path)
@click.option("--tasks", "tasks_file", type=_path, required=True, help="Task descriptions, one in each line, or JSON.")
@click.option("--runs", "runs_files", type=_path, multiple=True, help="Benign runs as JSON lines; may be repeated.")
@click.option("--agent", default="agent", show_default=True, help="The agent that the policies are for.")
@_as_json
def suggest_command(
    tools: Path, directory: Path, tasks_file: Path, runs_files: tuple[Path, ...], agent: str, *, as_json: bool
) -> None:
    """Write a least-privilege policy directory DIRECTORY for TOOLS (a tools/list file, a folder of them, a directory).

    A proposal to read and edit: every rule says why it is there, and the result is loaded, linted and tested.
    """
    runs = list(policy_suggest.read_runs(list(runs_files)))
    suggestion, lists = policy_suggest.propose(tools, policy_suggest.read_tasks(tasks_file), runs, agent)
    policy_suggest.write(directory, suggestion, lists)
    point, findings, failed = _checked(directory)
    told = {
        "directory": str(directory),
        "version": point.version,
        "permitted": sorted(policy.id for policy in point.policies.values() if not policy.forbids),
        "left_out": dict(sorted(suggestion.left_out.items())),
        "findings": findings,
        "failed_tests": failed,
    }
    _tell(told, as_json=as_json)
    sys.exit(1 if failed or any(finding["severity"] == "error" for finding in findings) else 0)


@click.command("init")
@click.argument("pack", type=click.Choice(sorted(policy_packs.PACKS)))
@click.argument("directory", type=_path)
@_as_json
def init_command(pack: str, directory: Path, *, as_json: bool) -> None:
    """Write the starter pack PACK into the new DIRECTORY: policies, limits, example tools and passing tests."""
    policy_packs.write(pack, directory)
    point, findings, failed = _checked(directory)
    told = {"directory": str(directory), "version": point.version, "findings": findings, "failed_tests": failed}
    _tell(told, as_json=as_json)


def _checked(directory: Path) -> tuple[DecisionPoint, list[dict[str, Any]], list[str]]:
    """Load, lint and test what was written: by the same code as ``check``, ``lint`` and ``test``."""
    point = DecisionPoint.from_bundle(read_directory(directory), warm=False)
    failed = [
        f"{case.name}: {case.differences[0]}"
        for file, cases in read_tests(directory)
        for case in run(point, file, cases)
        if case.differences
    ]
    return point, [finding.as_json() for finding in lint(point)], failed


def _tell(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(told).decode())
        return
    click.echo(f"wrote {told['directory']}, {told['version']}")
    for name in told.get("permitted", ()):
        click.echo(f"  permits   {name}")
    for name, why in told.get("left_out", {}).items():
        click.echo(f"  left out  {name}: {why}")
    for finding in told["findings"]:
        click.echo(f"  {finding['severity']}: `{finding['policy']}` {finding['message']}")
    for name in told["failed_tests"]:
        click.echo(f"  test fails: {name}", err=True)
    click.echo(f"read it, then: sealgate policy publish {told['directory']}")


@click.command("replay")
@click.argument("bundle", type=_path)
@click.option("--since", help="Decisions not older than this time (RFC 3339).")
@click.option("--until", help="Decisions older than this time (RFC 3339).")
@click.option("--runs", "runs_files", type=_path, multiple=True, help="Runs with arguments and outcomes (JSON lines).")
@click.option("--log", "export_file", type=_path, help="A file of `sealgate export`, instead of the evidence service.")
@click.option(
    "--max", "most", type=click.IntRange(min=1), default=100_000, show_default=True, help="Decisions at most."
)
@_reading.question
def replay_command(
    *,
    bundle: Path,
    since: str | None,
    until: str | None,
    runs_files: tuple[Path, ...],
    export_file: Path | None,
    most: int,
    config_path: Path | None,
    flags: tuple[str, ...],
    reason: str | None,
    role: str | None,
    as_json: bool,
) -> None:
    """Show what the policy directory or bundle file BUNDLE would have decided over recorded decisions.

    Arguments are recorded as digests: where a policy reads them, the outcome is not known, unless --runs brings them.
    """
    if runs_files and export_file:
        raise InputError("both --runs and --log are given", hint="give one source of decisions")
    point = _point(bundle)
    past: Iterator[Past]
    if runs_files:
        past = policy_replay.from_runs(runs_files)
    elif export_file:
        past = policy_replay.from_export(export_file)
    else:
        given = (("kind", "decision"), ("since", since), ("until", until))
        wanted = {name: value for name, value in given if value is not None}
        with _reading.client(config_path, flags, reason, role) as client:
            rows = itertools.chain.from_iterable(client.pages(wanted))
            past = iter(list(itertools.islice(policy_replay.from_rows(rows), most)))
    report = replay(point, itertools.islice(past, most))
    if as_json:
        _reading.show_json(policy_replay.as_json(point.version, report))
        return
    _reading.table(
        ["tool", "what became of it", "decisions"],
        [[tool, became, count] for (tool, became), count in sorted(report.by_tool.items())],
    )
    if report.changes:
        _reading.table(
            ["record", "agent", "tool", "was", "would be", "by"],
            [
                [c.past.ident, c.past.agent, c.past.tool, c.past.outcome, c.outcome, ", ".join(c.policies) or c.reason]
                for c in report.changes[:_SHOWN]
            ],
        )
    click.echo(f"{report.decisions} decisions: {report.same} the same, {len(report.changes)} changed")
    for line in policy_replay.limits_of(report):
        click.echo(line)


def _point(bundle: Path) -> DecisionPoint:
    if bundle.is_dir():
        return DecisionPoint.from_bundle(read_directory(bundle), warm=False)
    try:
        return DecisionPoint.from_bundle(bundle.read_bytes(), warm=False)
    except OSError as error:
        raise ConfigurationError(f"`{bundle}` cannot be read: {error}", hint="name a policy directory") from error


COMMANDS: Final = (suggest_command, replay_command, init_command)
