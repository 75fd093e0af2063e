"""``sealgate credential``: the short-lived credentials that may be alive; end one now."""

import json
from pathlib import Path

import click
from rich.console import Console

from sealgate.cli._calls import call, segment
from sealgate.cli._configuration import options
from sealgate.cli._tables import folding

_SAID = {
    "revoked": "is dead",
    "left_to_expire": "cannot be ended by its source: it works until its expiry",
    "pending": "is still alive: its source does not answer; it is tried again until it does",
}


@click.group()
def command() -> None:
    """List and revoke the short-lived credentials of the running authority."""


@command.command(name="list")
@options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def list_credentials(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Show what may be alive, and why a revocation has failed so far."""
    found = call(config_path, flags, "GET", "/v1/credentials")["credentials"]
    if as_json:
        click.echo(json.dumps(found))
        return
    table = folding("credential", "name", "kind", "agent", "state", "expires", "problem")
    for one in found:
        table.add_row(
            *(
                str(one[key] or "")
                for key in ("credential_id", "name", "kind", "agent", "state", "expires_at", "problem")
            )
        )
    Console().print(table)


@command.command()
@click.argument("credential_id")
@options
def revoke(credential_id: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """End CREDENTIAL_ID now."""
    done = call(config_path, flags, "POST", f"/v1/credentials/{segment(credential_id)}/revoke", {})
    click.echo(f"credential {done['credential_id']} {_SAID[done['state']]}")
    if done["state"] != "revoked":
        raise SystemExit(1)
