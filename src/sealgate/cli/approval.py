"""``sealgate approval``: see what waits for people, and answer."""

import json
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import click
from rich.console import Console
from rich.markup import escape

from sealgate.cli._calls import call, segment
from sealgate.cli._configuration import options
from sealgate.cli._tables import folding

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_STATES: Final = ("requested", "granted", "refused", "expired", "consumed", "revoked")
_POLL_S: Final = 2.0


@click.group()
def command() -> None:
    """See what waits for people; grant, refuse or revoke it; see how people answer."""


@command.command(name="list")
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="A state; repeat for several.")
@options
@_as_json
def list_approvals(states: tuple[str, ...], config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Show the approvals that wait, or are in these states."""
    query = urlencode([("state", state) for state in states])
    found = call(config_path, flags, "GET", "/v1/approvals" + (f"?{query}" if query else ""))["approvals"]
    if as_json:
        click.echo(json.dumps(found))
    else:
        _table(found)


@command.command()
@click.argument("approval_id")
@options
@_as_json
def show(approval_id: str, config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Show APPROVAL_ID with the arguments, as far as you may see them."""
    found = call(config_path, flags, "GET", f"/v1/approvals/{segment(approval_id)}")
    if as_json:
        click.echo(json.dumps(found))
        return
    for name in ("id", "state", "scope", "agent", "requested_by", "tool", "resource", "task_id", "reason"):
        if found[name] is not None:
            click.echo(f"{name:<14} {_plain(found[name])}")
    click.echo(f"{'needed':<14} {_needed(found)}")
    click.echo(f"{'policies':<14} {_plain(', '.join(found['policies']))}")
    click.echo(f"{'requested at':<14} {found['requested_at']}")
    click.echo(f"{'expires at':<14} {found['expires_at']}")
    for vote in found["granted_by"]:
        click.echo(f"{'granted by':<14} {_plain(vote['principal'])} at {vote['at']} {_plain(vote['reason'])}")
    if found["refused_by"]:
        vote = found["refused_by"]
        click.echo(f"{'refused by':<14} {_plain(vote['principal'])} at {vote['at']} {_plain(vote['reason'])}")
    if found["terms"] is not None:
        click.echo(f"{'covers':<14} {_plain(json.dumps(found['terms']))}")
    if found["arguments"] is not None:
        # Escapes stay escapes: nothing in an argument may move the cursor or turn the text around.
        masked = "" if found["arguments_exact"] else " (the field policy took something out: more than this will run)"
        click.echo(f"arguments{masked}\n" + json.dumps(json.loads(found["arguments"]), indent=2))


@command.command()
@click.argument("approval_ids", nargs=-1, required=True)
@click.option("--reason", default="", help="Why; it is recorded. No personal data.")
@options
@_as_json
def grant(
    approval_ids: tuple[str, ...], reason: str, config_path: Path | None, flags: tuple[str, ...], *, as_json: bool
) -> None:
    """Say yes to APPROVAL_IDS; several must be of the same shape."""
    _answer(approval_ids, reason, "grant", config_path, flags, as_json=as_json)


@command.command()
@click.argument("approval_ids", nargs=-1, required=True)
@click.option("--reason", default="", help="Why; it is recorded. No personal data.")
@options
@_as_json
def refuse(
    approval_ids: tuple[str, ...], reason: str, config_path: Path | None, flags: tuple[str, ...], *, as_json: bool
) -> None:
    """Say no to APPROVAL_IDS; the first no is the last word."""
    _answer(approval_ids, reason, "refuse", config_path, flags, as_json=as_json)


@command.command()
@click.argument("approval_id")
@click.option("--reason", default="", help="Why; it is recorded.")
@options
def revoke(approval_id: str, reason: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Take back APPROVAL_ID: it waits, or was granted and is not used up."""
    done = call(config_path, flags, "POST", f"/v1/approvals/{segment(approval_id)}/revoke", {"reason": reason})
    _told(done)


@command.command()
@options
@_as_json
def stats(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Show how often people are asked, how long they take, and who always says yes."""
    found = call(config_path, flags, "GET", "/v1/approvals/stats")
    if as_json:
        click.echo(json.dumps(found))
        return
    people = found.pop("approvers")
    for name, value in found.items():
        click.echo(f"{name.replace('_', ' '):<20} {value}")
    table = folding("approver", "granted", "refused", "yes", "median s", "always yes")
    for one in people:
        share = f"{one['yes_share']:.0%}"
        row = (one["granted"], one["refused"], share, one["median_s"], "ALWAYS" if one["always_yes"] else "")
        table.add_row(escape(_plain(one["principal"])), *map(str, row))
    Console().print(table)


@command.command()
@click.option("--once", is_flag=True, help="Show what waits now and return.")
@options
@_as_json
def watch(config_path: Path | None, flags: tuple[str, ...], *, once: bool, as_json: bool) -> None:
    """Show each approval as people are asked, until interrupted."""
    seen: set[str] = set()
    while True:
        waiting = call(config_path, flags, "GET", "/v1/approvals")["approvals"]
        for one in waiting:
            if one["id"] not in seen:
                click.echo(json.dumps(one) if as_json else _line(one))
        seen = {one["id"] for one in waiting}
        if once:
            return
        time.sleep(_POLL_S)


def _answer(
    approval_ids: tuple[str, ...],
    reason: str,
    decision: str,
    config_path: Path | None,
    flags: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    if len(approval_ids) == 1:
        path = f"/v1/approvals/{segment(approval_ids[0])}/{decision}"
        steps = [call(config_path, flags, "POST", path, {"reason": reason})]
    else:
        body = {"approvals": list(approval_ids), "decision": decision, "reason": reason}
        steps = call(config_path, flags, "POST", "/v1/approvals/batch", body)["approvals"]
    if as_json:
        click.echo(json.dumps(steps))
        return
    for step in steps:
        _told(step)


def _told(step: dict[str, Any]) -> None:
    more = f"; {step['missing']} more needed" if step["state"] == "requested" else ""
    click.echo(f"approval {step['id']} is {step['state']}{more}; record {step['record_id']}")


def _table(found: list[dict[str, Any]]) -> None:
    table = folding("approval", "state", "agent", "what", "needed", "expires at", "yours")
    for one in found:
        what = one["tool"] or f"capability: {', '.join(one['terms']['tools'])}"
        yours = "yes" if one["may_decide"] else ""
        cells = (one["id"], one["state"], one["agent"], what, _needed(one), one["expires_at"], yours)
        table.add_row(*(escape(_plain(cell)) for cell in cells))
    Console().print(table)


def _line(one: dict[str, Any]) -> str:
    what = one["tool"] or f"capability {', '.join(one['terms']['tools'])}"
    return f"{one['requested_at']} {one['id']} {_plain(one['agent'])}: {_plain(what)}, {_needed(one)}"


def _needed(one: dict[str, Any]) -> str:
    people = ", ".join(f"{need['count']} {need['role']}" for need in one["needed"])
    return f"{people} ({one['missing']} missing)" if one["state"] == "requested" else people


def _plain(text: str) -> str:
    """Return a foreign text with everything escaped that a terminal could obey or that looks like something else."""
    return text.encode("ascii", "backslashreplace").decode() if text.isprintable() else json.dumps(text)
