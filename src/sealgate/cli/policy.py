"""``sealgate policy``: check, test, lint, suggest, replay and show policy directories, before they are published."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import click
import orjson
from rich.console import Console
from rich.markup import escape

from sealgate.cli._paths import GivenPath
from sealgate.cli._tables import folding
from sealgate.model.errors import InputError
from sealgate.policy import DecisionPoint
from sealgate.policy.bundle import encode
from sealgate.policy.lint import Finding, lint

from . import policy_history
from ._calls import call, segment
from ._configuration import options
from .policy_directory import read_directory, read_tests
from .policy_tests import run

PROBE_TIMEOUT_S: Final = 60

_directory = click.argument("directory", type=GivenPath())
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_COLOURS: Final = {"error": "bold red", "warning": "yellow", "info": "dim"}


@click.group()
def command() -> None:
    """Check, test and lint policies."""


for _more in policy_history.COMMANDS:
    command.add_command(_more)


@command.command()
@_directory
@_as_json
def check(directory: Path, *, as_json: bool) -> None:
    """Load everything as the authority would, in a process of its own."""
    answer = probe(encode(read_directory(directory)))
    if as_json:
        _print_json(answer)
    elif answer["ok"]:
        for name in ("version", "policies", "tools", "limits", "entities"):
            click.echo(f"{name:<10}{answer[name]}")  # plain lines: a table would cut the version short
    else:
        click.echo(f"does not load: {answer['error']}", err=True)
        if answer.get("hint"):
            click.echo(f"  hint: {answer['hint']}", err=True)
    sys.exit(0 if answer["ok"] else 1)


def probe(bundle: bytes) -> dict[str, Any]:
    """Return what came of loading a bundle in another process, whatever it did to that process."""
    try:
        done = subprocess.run(  # our own module, our own interpreter, no shell
            [sys.executable, "-m", "sealgate.cli.policy_probe"],
            input=bundle,
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"ok": False, "error": f"loading took more than {PROBE_TIMEOUT_S} s", "hint": "make the bundle smaller"}
    if done.returncode != 0:
        last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"])[-1]
        return {"ok": False, "error": f"loading ended with status {done.returncode}: {last[:200]}", "hint": ""}
    answer: dict[str, Any] = orjson.loads(done.stdout)
    return answer


@command.command()
@_directory
@options
@_as_json
def publish(directory: Path, config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Make the directory the policy set in force of the running authority, if it loads and its tests pass.

    What `sealgate policy lint` calls an error is printed as a warning and does not stop it.
    """
    bundle = read_directory(directory)
    answer = probe(encode(bundle))
    if not answer["ok"]:
        raise InputError(f"does not load: {answer['error']}", hint=answer.get("hint", ""))
    point = _load(directory)
    failed = [case for file, cases in read_tests(directory) for case in run(point, file, cases) if case.differences]
    if failed:
        raise InputError(f"{len(failed)} tests of the directory fail", hint=f"see `sealgate policy test {directory}`")
    for finding in lint(point):
        if finding.severity == "error":
            where = f"{finding.source}.cedar:{finding.line}"
            click.echo(f"warning: {where}: `{finding.policy}` {finding.message} ({finding.check})", err=True)
    recorded = call(config_path, flags, "POST", "/v1/policies", encode(bundle))
    if as_json:
        _print_json({"policy_version": answer["version"], **recorded})
    else:
        _tell(recorded)


@command.command()
@options
@_as_json
def pending(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Show the policy set that waits for a second person."""
    waiting = call(config_path, flags, "GET", "/v1/policies/pending")
    if as_json:
        _print_json(waiting)
    else:
        click.echo(f"{waiting['policy_version']}, proposed by {waiting['proposed_by']} at {waiting['time']}")


@command.command()
@click.argument("digest")
@options
@_as_json
def approve(digest: str, config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Put the proposed policy set DIGEST in force. Who proposed it cannot."""
    recorded = call(config_path, flags, "POST", f"/v1/policies/{segment(digest)}/approve", {})
    if as_json:
        _print_json(recorded)
    else:
        _tell(recorded)


def _tell(recorded: dict[str, Any]) -> None:
    version = recorded["policy_version"]
    if recorded["status"] == "pending":
        click.echo(f"proposed {version}; record {recorded['record_id']}")
        click.echo(f"it waits for another person: sealgate policy approve {version}")
    else:
        click.echo(f"published {version}; record {recorded['record_id']}")


@command.command()
@_directory
@_as_json
def test(directory: Path, *, as_json: bool) -> None:
    """Run the directory's tests; exit 1 where one fails."""
    point = _load(directory)
    results = [result for file, cases in read_tests(directory) for result in run(point, file, cases)]
    failed = [result for result in results if result.differences]
    if as_json:
        _print_json({"version": point.version, "results": [result.as_json() for result in results]})
    else:
        table = folding("file", "test", "result", "difference")
        for result in results:
            verdict = "[bold red]failed[/]" if result.differences else "[green]passed[/]"
            table.add_row(escape(result.file), escape(result.name), verdict, escape("\n".join(result.differences)))
        Console().print(table)
        click.echo(f"{len(results) - len(failed)} of {len(results)} passed")
    if not results:
        raise InputError("there are no tests", hint="write tests/<name>.json")
    sys.exit(1 if failed else 0)


@command.command("lint")
@_directory
@_as_json
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
def lint_command(directory: Path, *, as_json: bool, strict: bool) -> None:
    """Name policies that do not mean what they seem to; exit 1 where one is an error."""
    point = _load(directory)
    findings = lint(point)
    if as_json:
        _print_json({"version": point.version, "findings": [finding.as_json() for finding in findings]})
    else:
        _print_findings(findings)
    failing = {"error", "warning"} if strict else {"error"}
    sys.exit(1 if any(finding.severity in failing for finding in findings) else 0)


def _print_findings(findings: list[Finding]) -> None:
    if not findings:
        click.echo("nothing found")
        return
    table = folding("severity", "where", "policy", "finding", "hint")
    for finding in findings:
        severity = f"[{_COLOURS[finding.severity]}]{finding.severity}[/]"
        where = f"{finding.source}.cedar:{finding.line}"
        message = f"{escape(finding.message)}\n[dim]{finding.check}[/]"
        table.add_row(severity, escape(where), escape(finding.policy), message, escape(finding.hint))
    Console().print(table)


@command.command()
@_directory
@_as_json
def schema(directory: Path, *, as_json: bool) -> None:
    """Print the Cedar schema that the tools of the directory give."""
    point = _load(directory)
    if as_json:
        _print_json({"version": point.version, "schema": point.schema_text})
    else:
        click.echo(str(point.schema))


def _load(directory: Path) -> DecisionPoint:
    return DecisionPoint.from_bundle(read_directory(directory), warm=False)


def _print_json(value: dict[str, Any]) -> None:
    click.echo(orjson.dumps(value).decode())
