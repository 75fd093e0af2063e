"""``sealgate doctor``: is this installation as it should be?"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sealgate.adapters import protected_files
from sealgate.adapters.configuration import find
from sealgate.cli import _checks, _configuration
from sealgate.cli._finding import Finding
from sealgate.model.errors import SealgateError

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


@click.command()
@_configuration.options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Check files, keys, clock, disk and the running authority. Exits with 1 if a check failed; a warning is none."""
    findings = _examine(config_path, flags)
    healthy = all(finding.status != "failed" for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": healthy, "checks": [asdict(finding) for finding in findings]}))
    else:
        _print(findings)
    if not healthy:
        sys.exit(1)


def _examine(config_path: Path | None, flags: tuple[str, ...]) -> list[Finding]:
    try:
        found = _configuration.load(config_path, flags)
    except SealgateError as error:
        return [Finding("configuration", "failed", error.message, error.hint)]
    good = Finding("configuration", "ok", f"authority `{found.authority.id}`, data in {found.data_directory}")
    return [good, *_writers(config_path), *_checks.run(found)]


def _writers(config_path: Path | None) -> list[Finding]:
    """Tell whether others may write the configuration, and so may let themselves in."""
    try:
        protected_files.require_unwritable(find(config_path, os.environ))
    except SealgateError as error:
        return [Finding("configuration", "failed", error.message, error.hint)]
    return []


def _print(findings: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("check", "status", "finding"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        text = escape(finding.detail) + (f"\n  [dim]→ {escape(finding.hint)}[/dim]" if finding.hint else "")
        colour = _COLOURS[finding.status]
        table.add_row(finding.check, f"[{colour}]{finding.status}[/{colour}]", text)
    Console(soft_wrap=False).print(table)
