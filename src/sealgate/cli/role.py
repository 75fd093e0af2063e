"""``sealgate role``: who may read evidence, beyond the configuration."""

from pathlib import Path

import click

from sealgate.cli import _reading
from sealgate.cli._calls import call, segment
from sealgate.cli._configuration import options
from sealgate.model.grants import READING_ROLES


@click.group()
def command() -> None:
    """Grant, revoke and list reading roles."""


@command.command()
@click.argument("principal")
@click.argument("role", type=click.Choice(READING_ROLES))
@click.option("--reason", required=True, help="Why; it is recorded.")
@click.option("--valid-from", default=None, help="From when on (RFC 3339); without it, at once.")
@click.option("--valid-until", default=None, help="Until when (RFC 3339); an auditor's grant needs it.")
@click.option("--agent", "agents", multiple=True, help="Only records of this agent.")
@click.option("--kind", "kinds", multiple=True, help="Only records of this kind.")
@click.option("--since", default=None, help="Only records not older than this (RFC 3339).")
@click.option("--until", default=None, help="Only records older than this (RFC 3339).")
@options
def grant(
    *,
    principal: str,
    role: str,
    reason: str,
    valid_from: str | None,
    valid_until: str | None,
    agents: tuple[str, ...],
    kinds: tuple[str, ...],
    since: str | None,
    until: str | None,
    config_path: Path | None,
    flags: tuple[str, ...],
) -> None:
    """Let PRINCIPAL read in ROLE. Nobody grants to themselves."""
    body = {
        "principal": principal,
        "role": role,
        "reason": reason,
        "valid_from": valid_from,
        "valid_until": valid_until,
        "agents": list(agents),
        "kinds": list(kinds),
        "since": since,
        "until": until,
    }
    done = call(config_path, flags, "POST", "/v1/roles/grants", body)
    click.echo(f"granted `{role}` to `{principal}`; grant {done['record_id']}")


@command.command()
@click.argument("grant_id")
@click.option("--reason", required=True, help="Why; it is recorded.")
@options
def revoke(grant_id: str, reason: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Take the grant GRANT_ID back, from the next question on."""
    done = call(config_path, flags, "POST", f"/v1/roles/grants/{segment(grant_id)}/revoke", {"reason": reason})
    click.echo(f"revoked; record {done['record_id']}")


@command.command(name="list")
@options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def list_grants(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Show the grants in force or to come; roles in the configuration are in `sealgate config show`."""
    grants = call(config_path, flags, "GET", "/v1/roles/grants")["grants"]
    if as_json:
        _reading.show_json(grants)
        return
    names = ["grant_id", "principal", "role", "valid_from", "valid_until", "agents", "kinds", "since", "until"]
    rows = [[", ".join(cell) if isinstance(cell := each[name], list) else cell for name in names] for each in grants]
    _reading.table(names, rows)
