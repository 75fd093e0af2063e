"""``sealgate search``: records that fit a filter, newest first."""

from pathlib import Path
from typing import Any

import click

from sealgate.cli import _reading

_COLUMNS = ("time", "kind", "agent", "tool", "outcome", "reason", "proof_state", "id")


@click.command()
@_reading.filtered
@click.option("--after", default=None, help="The cursor that the page before ended with.")
@click.option("--limit", default=50, show_default=True, help="Rows of the page.")
@_reading.question
def command(
    *,
    after: str | None,
    limit: int,
    config_path: Path | None,
    flags: tuple[str, ...],
    reason: str | None,
    role: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Show records by time, agent, tool, decision, rule, classification, subject token or text."""
    wanted = _reading.take_filter(given)
    with _reading.client(config_path, flags, reason, role) as client:
        answer = client.search(wanted, after=after, limit=limit)
    if as_json:
        _reading.show_json(answer)
        return
    page = answer["page"]
    _reading.table(list(_COLUMNS), [[row.get(name) for name in _COLUMNS] for row in page["rows"]])
    if page["next"]:
        click.echo(f"more: --after {page['next']}")
    _reading.show_note(answer["access"])
