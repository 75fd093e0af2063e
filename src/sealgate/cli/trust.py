"""``sealgate trust``: say how far a tool or tool server is trusted; show how that changed."""

import json
from pathlib import Path

import click
from rich.console import Console

from sealgate.cli._calls import call
from sealgate.cli._configuration import options
from sealgate.cli._tables import folding
from sealgate.model.supply import TRUST_LEVELS


@click.group()
def command() -> None:
    """Trust in tools and tool servers, which policies see as context.tool."""


@command.command()
@click.argument("target_type", type=click.Choice(["tool", "server"]))
@click.argument("target")
@click.option("--level", "trust_level", required=True, type=click.Choice(TRUST_LEVELS), help="How far it is trusted.")
@click.option("--score", required=True, type=click.IntRange(0, 100), help="0 to 100.")
@click.option("--reason", required=True, help="Why; it is recorded.")
@options
def score(target_type: str, target: str, config_path: Path | None, flags: tuple[str, ...], **said: str | int) -> None:
    """Say how far TARGET is trusted from now on."""
    body = {"target_type": target_type, "target": target, **said}
    done = call(config_path, flags, "POST", "/v1/trust-scores", body)
    click.echo(f"recorded; record {done['record_id']}")


@command.command()
@click.argument("target", required=False)
@options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def history(target: str | None, config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Show all scores, or those of TARGET, newest last."""
    found = call(config_path, flags, "GET", "/v1/trust-scores")["scores"]
    found = [one for one in found if target in (None, one["target"])]
    if as_json:
        click.echo(json.dumps(found))
        return
    table = folding("time", "target_type", "target", "trust_level", "score", "reason", "principal")
    for one in found:
        table.add_row(*(str(one[str(column.header)]) for column in table.columns))
    Console().print(table)
