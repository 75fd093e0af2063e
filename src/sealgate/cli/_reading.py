"""What the commands that read evidence share: the options of a question, the client, the note below an answer."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.markup import escape

from sealgate.cli._configuration import load, options
from sealgate.cli._tables import folding
from sealgate.sdk.evidence import EvidenceClient

FILTERS: Final = (
    ("since", "Not older than this time (RFC 3339)."),
    ("until", "Older than this time (RFC 3339)."),
    ("agent", "Of this agent."),
    ("tool", "About this tool."),
    ("kind", "Of this kind; may end in `*`."),
    ("outcome", "PERMIT, DENY or SILENCE."),
    ("reason-code", "Decided for this reason, e.g. `no_policy`."),
    ("policy", "Determined by this policy."),
    ("classification", "Of data of this classification."),
    ("subject", "About this subject token."),
    ("task-id", "Of this task."),
    ("trace-id", "Of this W3C trace."),
    ("session-id", "Of this session."),
    ("coverage", "enforced, captured or observed."),
    ("text", "With this text in allowed fields."),
    ("region", "Made in this region."),
)
_NAMES: Final = {"reason_code": "reason"}


def question(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what every question has: ``--reason``, ``--role``, ``--json``, and how the configuration is found."""
    command = click.option("--json", "as_json", is_flag=True, help="Print the service's JSON answer.")(command)
    command = click.option("--role", default=None, help="The role to read in; without it the one that shows most.")(
        command
    )
    command = click.option("--reason", default=None, help="Why; recorded, and needed where the policies ask for it.")(
        command
    )
    return options(command)


def filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a filter."""
    for name, meaning in reversed(FILTERS):
        command = click.option(f"--{name}", default=None, help=meaning)(command)
    return command


def take_filter(given: dict[str, Any]) -> dict[str, str]:
    """Return the filter among a command's options, which it leaves behind."""
    names = [name.replace("-", "_") for name, _ in FILTERS]
    taken = {name: given.pop(name) for name in names}
    return {_NAMES.get(name, name): value for name, value in taken.items() if value is not None}


def client(config_path: Path | None, flags: tuple[str, ...], reason: str | None, role: str | None) -> EvidenceClient:
    """Return a client of the installation's evidence service."""
    return EvidenceClient(socket=load(config_path, flags).access.socket, reason=reason, role=role)


def show_json(answer: Any) -> None:
    """Print JSON."""
    click.echo(json.dumps(answer, ensure_ascii=False))


def show_note(note: dict[str, Any]) -> None:
    """Print on standard error in which role it was read, what was hidden, and the record of it."""
    parts = [f"read as {note['role']}"]
    if note["hidden"]:
        parts.append(f"hidden: {', '.join(note['hidden'])}")
    if note.get("withheld"):
        parts.append(f"{note['withheld']} withheld")
    click.echo(f"({'; '.join(parts)}; access record {note['record_id']})", err=True)


def table(columns: list[str], rows: list[list[Any]]) -> None:
    """Print a table; nothing of what it shows is taken for markup."""
    drawn = folding(*columns)
    for row in rows:
        drawn.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    console().print(drawn)


def console() -> Console:
    """Return a console that never cuts ids short where nobody watches."""
    return Console() if sys.stdout.isatty() else Console(width=250)
