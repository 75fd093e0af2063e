"""``sealgate hold``: what must not be deleted, whatever its class says. Two persons place, two release."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from sealgate.cli._calls import call, segment
from sealgate.cli._configuration import options
from sealgate.cli._tables import folding


@click.group()
def command() -> None:
    """Place, confirm, release and list legal holds of the running authority."""


@command.command()
@click.option("--subject", "subjects", multiple=True, help="A subject token; repeat for several.")
@click.option("--task", "tasks", multiple=True, help="A task id.")
@click.option("--agent", "agents", multiple=True, help="An agent.")
@click.option("--class", "classes", multiple=True, help="A retention class.")
@click.option("--record", "records", multiple=True, help="A record id.")
@click.option("--since", help="From this time on (RFC 3339).")
@click.option("--until", help="Before this time (RFC 3339).")
@click.option("--reason", required=True, help="Why; it is recorded. No personal data.")
@options
def place(reason: str, config_path: Path | None, flags: tuple[str, ...], **selection: Any) -> None:
    """Ask for a hold. It protects at once; another person confirms it."""
    chosen = {name: list(value) if isinstance(value, tuple) else value for name, value in selection.items()}
    done = call(config_path, flags, "POST", "/v1/holds", {"selection": chosen, "reason": reason})
    click.echo(f"hold {done['hold_id']} requested; another person confirms it: sealgate hold confirm {done['hold_id']}")


@command.command()
@click.argument("hold_id")
@options
def confirm(hold_id: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Confirm, as another person, the placing or the release of HOLD_ID."""
    done = call(config_path, flags, "POST", f"/v1/holds/{segment(hold_id)}/confirm", {})
    click.echo(f"hold {done['hold_id']} is {done['stage']}; record {done['record_id']}")


@command.command()
@click.argument("hold_id")
@click.option("--reason", required=True, help="Why it may go; it is recorded.")
@options
def release(hold_id: str, reason: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Ask for the release of HOLD_ID; it protects until another person confirms."""
    done = call(config_path, flags, "POST", f"/v1/holds/{segment(hold_id)}/release", {"reason": reason})
    click.echo(f"release of hold {done['hold_id']} requested; another person confirms it")


@command.command(name="list")
@options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def list_holds(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Show all holds."""
    holds = call(config_path, flags, "GET", "/v1/holds")["holds"]
    if as_json:
        click.echo(json.dumps(holds))
        return
    table = folding("hold", "stage", "covers", "reason", "asked by", "confirmed by")
    for hold in holds:
        covers = ", ".join(f"{name}: {value}" for name, value in hold["selection"].items() if value)
        table.add_row(
            hold["hold_id"], hold["stage"], covers, hold["reason"], hold["requested_by"], hold["confirmed_by"] or ""
        )
    Console().print(table)
