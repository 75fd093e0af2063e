"""``sealgate lookup``: ask what a token stands for, agree to what another asked, learn it once."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from sealgate.cli._calls import segment, vault_call
from sealgate.cli._configuration import options


@click.group()
def command() -> None:
    """Ask what a token stands for; another person has to agree. Every step is recorded."""


@command.command()
@click.argument("token")
@click.option("--reason", required=True, help="Why you need to know; recorded, and shown to who decides.")
@options
def request(token: str, reason: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Ask what TOKEN stands for; prints the look-up."""
    _show(vault_call(config_path, flags, "POST", "/v1/lookups", {"token": token, "reason": reason}))


@command.command()
@options
def pending(config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Print the look-ups that wait for a second person, JSON."""
    click.echo(json.dumps(vault_call(config_path, flags, "GET", "/v1/lookups")["lookups"], indent=1))


@command.command()
@click.argument("lookup")
@options
def consent(lookup: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Agree to LOOKUP of another person."""
    _show(vault_call(config_path, flags, "POST", f"/v1/lookups/{segment(lookup)}/consent", {}))


@command.command()
@click.argument("lookup")
@options
def refuse(lookup: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Refuse LOOKUP."""
    _show(vault_call(config_path, flags, "POST", f"/v1/lookups/{segment(lookup)}/refusal", {}))


@command.command()
@click.argument("lookup")
@options
def show(lookup: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Print how far your LOOKUP is; once it is agreed to, its value, this one time."""
    _show(vault_call(config_path, flags, "GET", f"/v1/lookups/{segment(lookup)}"))


def _show(found: dict[str, Any]) -> None:
    until = datetime.fromtimestamp(found["expires_ms"] / 1000, UTC).isoformat(timespec="seconds")
    click.echo(f"{found['lookup_id']} {found['state']} until {until}", err=True)
    click.echo(found["lookup_id"] if found["value"] is None else found["value"])
