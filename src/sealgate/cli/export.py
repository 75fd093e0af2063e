"""``sealgate export``: everything that fits a filter, as a file."""

from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from sealgate.cli import _reading
from sealgate.cli._paths import GivenPath


@click.command()
@click.argument("destination", type=GivenPath())
@_reading.filtered
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv", "parquet", "bundle"]),
    default="jsonl",
    show_default=True,
    help="JSON lines, CSV, Parquet, or a bundle that `sealgate-verify` checks.",
)
@_reading.question
def command(
    *,
    destination: Path,
    form: str,
    config_path: Path | None,
    flags: tuple[str, ...],
    reason: str | None,
    role: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Write what fits into DESTINATION, a file that is there once it is whole; its digest is in the access record."""
    wanted = _reading.take_filter(given)
    with _reading.client(config_path, flags, reason, role) as client, Progress(disable=as_json) as bar:
        task = bar.add_task("export", total=None)
        answer = client.export(
            destination, wanted, format=form, progress=lambda done, whole: bar.update(task, completed=done, total=whole)
        )
    if as_json:
        _reading.show_json(answer)
        return
    made = answer["export"]
    click.echo(f"{made['count']} records, {made['bytes']} bytes, SHA-256 {made['digest']}")
    _reading.show_note(answer["access"])
