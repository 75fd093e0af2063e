"""``sealgate rebuild``: build the evidence store anew from the journal, and compare the two."""

import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.progress import Progress

from sealgate.cli._calls import call
from sealgate.cli._configuration import load, options
from sealgate.cli._reading import show_json


@click.command()
@options
@click.option("--reason", required=True, help="Why; it is recorded first.")
@click.option("--check", is_flag=True, help="Only compare; keep the store as it is.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(config_path: Path | None, flags: tuple[str, ...], reason: str, *, check: bool, as_json: bool) -> None:
    """Build the evidence store anew from the journal, compare its answers with the old one's, take its place.

    The evidence service must not run meanwhile (`access.enabled = "no"`); the authority must, to record it. Exits with
    1 where the two differ.
    """
    from sealgate.adapters.evidence.service import rebuild  # noqa: PLC0415  # loads the database engine
    from sealgate.adapters.keys.keyring import Keyring  # noqa: PLC0415
    from sealgate.cli._wiring_evidence import places, store_bounds  # noqa: PLC0415

    configuration = load(config_path, flags)
    _record(config_path, flags, reason)
    with Progress(disable=as_json) as bar:
        task = bar.add_task("rebuild", total=None)
        done = rebuild(
            places(configuration),
            Keyring.of(configuration).open_reading(),
            store_bounds(configuration),
            swap=not check,
            progress=lambda now, whole: bar.update(task, completed=now, total=whole),
        )
    if as_json:
        show_json(msgspec.to_builtins(done))
    else:
        verdict = "the same" if done.same else f"different at {', '.join(done.differing)}"
        click.echo(f"{done.after.rows} rows of {done.next_index} records: {verdict}")
    if not done.same:
        sys.exit(1)


def _record(config_path: Path | None, flags: tuple[str, ...], reason: str) -> None:
    access: dict[str, Any] = {
        "service": "evidence",
        "operation": "rebuild",
        "reader": {"principal": "the user of the data directory", "proof": "internal", "roles": []},
        "target": None,
        "filter": [],
        "outcome": "allowed",
        "refusal": None,
        "policies": [],
        "policy_version": None,
        "hidden": [],
        "count": None,
        "record_ids": [],
        "digest": None,
        "reason": reason,
        "approver": None,
    }
    call(config_path, flags, "POST", "/v1/records", {"kind": "access", "data": access})
