"""``sealgate retention``: what is kept how long, what would go now, and why."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from sealgate.adapters.retention_classes import classes_of
from sealgate.cli._calls import call, segment
from sealgate.cli._configuration import load, options
from sealgate.cli._tables import folding
from sealgate.model.errors import InputError
from sealgate.retention.classes import Classes
from sealgate.retention.terms import Effective

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def command() -> None:
    """Plan and run retention; show classes; explain a record's times."""


@command.command()
@options
@_as_json
def plan(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Show what a run would delete now. Nothing changes."""
    _show(call(config_path, flags, "GET", "/v1/retention/plan"), as_json=as_json)


@command.command()
@options
@_as_json
def run(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Delete what is due. Each deletion is a record first; holds win."""
    _show(call(config_path, flags, "POST", "/v1/retention/run", {}), as_json=as_json)


@command.command()
@options
@_as_json
def classes(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Show the retention classes of the configuration."""
    known = classes_of(load(config_path, flags))
    rows = [{"name": rule.name, **_times(known.effective(rule.name))} for rule in known.rules]
    if as_json:
        click.echo(json.dumps(rows))
        return
    table = folding("class", "bodies go after", "statements go after")
    for row in rows:
        table.add_row(str(row["name"]), _days(row["body_days"]), _days(row["statement_days"]))
    Console().print(table)


@command.command()
@click.argument("record")
@options
@_as_json
def explain(record: str, config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Say when the body and the statement of RECORD go, and which rules say so."""
    receipt = call(config_path, flags, "GET", f"/v1/receipts/{segment(record)}")
    if not receipt.get("body"):
        raise InputError("the record's body is not readable any more", hint="its statement says when it was made")
    body = json.loads(receipt["body"])
    facts = _explain(body, classes_of(load(config_path, flags)))
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        click.echo(f"{name:<18} {value}")


def _explain(body: dict[str, Any], known: Classes) -> dict[str, Any]:
    name = body["retention_class"]
    effective, made = known.effective(name), datetime.fromisoformat(body["time"])
    return {
        "record_id": body["record_id"],
        "kind": body["kind"],
        "time": body["time"],
        "retention_class": name,
        "rules": name.split("+"),
        "known": known.knows(name),
        "body_until": _until(made, effective.body),
        "statement_until": _until(made, effective.statement),
        "split": effective.split,
    }


def _until(made: datetime, days: int | None) -> str | None:
    return None if days is None else (made + timedelta(days=days)).astimezone(UTC).isoformat()


def _times(effective: Effective) -> dict[str, Any]:
    return {"body_days": effective.body, "statement_days": effective.statement, "split": effective.split}


def _days(days: Any) -> str:
    return "never" if days is None else f"{days} days"


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(f"bodies {found['bodies']}, statements {found['statements']}, held {found['held']}")
    table = folding("layer", "class", "records", "from", "to", "held")
    for expiry in found["expiries"]:
        table.add_row(
            *(str(expiry[name]) for name in ("layer", "retention_class", "count", "from_index", "to_index", "held"))
        )
    Console().print(table)
    for name, count in found["unknown_classes"].items():
        click.echo(f"kept, as nothing is known of their class `{name}`: {count} records")
