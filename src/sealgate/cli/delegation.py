"""``sealgate delegation``: who may act on whose behalf."""

from pathlib import Path
from typing import Any

import click

from sealgate.cli import _reading
from sealgate.cli._calls import call, segment
from sealgate.cli._configuration import options
from sealgate.model.errors import InputError


@click.group()
def command() -> None:
    """Let agents act on behalf of others: only narrower, never wider."""


@command.command()
@click.argument("delegator")
@click.argument("delegate")
@click.option("--person", is_flag=True, help="DELEGATOR is a person (you), not an agent.")
@click.option("--below", "parent", default=None, help="The delegation that DELEGATOR itself acts under.")
@click.option("--tool", "tools", multiple=True, help="A tool, or `*`; without it those of the delegation above.")
@click.option("--resource", "resources", multiple=True, help="A resource as `type::id`; without it as above, or all.")
@click.option("--bound", "bounds", multiple=True, help="`tool:argument<=100`, `tool:argument>=1`, `tool:argument=a|b`.")
@click.option("--task", default=None, help="Only in this task.")
@click.option("--expires-in", "expires_in_s", type=int, default=None, help="Seconds; no longer than the one above.")
@click.option("--reason", default="", help="Why; it is recorded.")
@options
def grant(
    *,
    delegator: str,
    delegate: str,
    person: bool,
    parent: str | None,
    tools: tuple[str, ...],
    resources: tuple[str, ...],
    bounds: tuple[str, ...],
    task: str | None,
    expires_in_s: int | None,
    reason: str,
    config_path: Path | None,
    flags: tuple[str, ...],
) -> None:
    """Let DELEGATE act on behalf of DELEGATOR."""
    body = {
        "delegator": delegator,
        "delegator_type": "user" if person else "agent",
        "delegate": delegate,
        "parent": parent,
        "tools": list(tools) or None,
        "resources": list(resources) or None,
        "bounds": [read_bound(text) for text in bounds],
        "task": task,
        "expires_in_s": expires_in_s,
        "reason": reason,
    }
    done = call(config_path, flags, "POST", "/v1/delegations", body)
    click.echo(f"granted delegation {done['delegation_id']}, link {done['depth']}, until {done['expires_at']}")


def read_bound(text: str) -> dict[str, Any]:
    """Return the bound that a text stands for.

    Raises:
        InputError: it stands for none.
    """
    tool, colon, rest = text.partition(":")
    for mark, name in (("<=", "max"), (">=", "min"), ("=", "one_of")):
        argument, found, value = rest.partition(mark)
        if colon and found and tool and argument and value:
            return {"tool": tool, "argument": argument, name: value.split("|") if name == "one_of" else value}
    raise InputError(f"`{text[:80]}` is no bound", hint="write `pay:amount<=100`")


@command.command()
@click.argument("delegation_id")
@click.option("--reason", required=True, help="Why; it is recorded.")
@options
def revoke(delegation_id: str, reason: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Take the delegation DELEGATION_ID back, with everything below it."""
    done = call(config_path, flags, "POST", f"/v1/delegations/{segment(delegation_id)}/revoke", {"reason": reason})
    click.echo(f"revoked {len(done['delegations'])} delegations")


@command.command(name="list")
@options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def list_delegations(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Show the delegations in force."""
    found = call(config_path, flags, "GET", "/v1/delegations")["delegations"]
    if as_json:
        _reading.show_json(found)
        return
    names = ["delegation_id", "delegator", "delegate", "depth", "parent", "tools", "resources", "expires_at"]
    rows = [[", ".join(cell) if isinstance(cell := each[name], list) else cell for name in names] for each in found]
    _reading.table(names, rows)
