"""``sealgate trace``: the decision chain of a task, as a tree."""

from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.tree import Tree

from sealgate.cli import _reading


@click.command()
@click.argument("ident", metavar="ID")
@_reading.question
def command(
    ident: str,
    config_path: Path | None,
    flags: tuple[str, ...],
    reason: str | None,
    role: str | None,
    *,
    as_json: bool,
) -> None:
    """Show what led to what in a task, trace or session, or around a record: each call with its authorization."""
    with _reading.client(config_path, flags, reason, role) as client:
        answer = client.trace(ident)
    if as_json:
        _reading.show_json(answer)
        return
    tree = Tree(escape(f"{answer['trace']['id']} ({answer['trace']['rows']} records)"))
    for node in answer["trace"]["roots"]:
        _add(tree, node)
    _reading.console().print(tree)
    _reading.show_note(answer["access"])


def _add(tree: Tree, node: dict[str, Any]) -> None:
    given = node["authorization"]
    allowed = ""
    if given is not None:
        rules = ", ".join(given["policies"])
        allowed = f"  {given['decision']} {given['reason']}" + (f" by {rules}" if rules else "")
    line = f"{node['time']}  {node['title']}{allowed}  [{node['proof_state']}]  {node['record_id']}"
    branch = tree.add(escape(line))
    for child in node["children"]:
        _add(branch, child)
