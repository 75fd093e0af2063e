"""``sealgate aggregate``: how many, by what."""

from pathlib import Path
from typing import Any

import click

from sealgate.cli import _reading


@click.command()
@_reading.filtered
@click.option("--by", "group_by", multiple=True, metavar="COLUMN", help="Group by this column, e.g. `agent`.")
@click.option("--measure", default="count", show_default=True, help="What is told of each group.")
@click.option("--limit", default=100, show_default=True, help="Groups, the largest first.")
@_reading.question
def command(
    *,
    group_by: tuple[str, ...],
    measure: str,
    limit: int,
    config_path: Path | None,
    flags: tuple[str, ...],
    reason: str | None,
    role: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Count records, agents or tools, or measure durations, in groups."""
    wanted = _reading.take_filter(given)
    with _reading.client(config_path, flags, reason, role) as client:
        answer = client.aggregate(wanted, group_by=group_by, measure=measure, limit=limit)
    if as_json:
        _reading.show_json(answer)
        return
    _reading.table(answer["table"]["columns"], answer["table"]["rows"])
    if answer["table"]["truncated"]:
        click.echo("there are more groups: raise --limit")
    _reading.show_note(answer["access"])
