"""``sealgate task``: tasks that the authority knows."""

from pathlib import Path

import click

from sealgate.cli import _reading
from sealgate.cli._calls import call, segment
from sealgate.cli._configuration import options


@click.group()
def command() -> None:
    """Start, end and list tasks. What is asked in a task that is over is denied."""


@command.command()
@click.argument("agent")
@click.option("--goal", default="", help="What it is about; recorded as claimed.")
@click.option("--id", "task_id", default=None, help="Your own id; without it the authority makes one.")
@click.option("--parent", default=None, help="The open task that this one is a part of; ends with it.")
@click.option("--delegation", default=None, help="The delegation under which the agent works.")
@click.option("--expires-in", "expires_in_s", type=int, default=None, help="Seconds until it ends by itself.")
@options
def start(
    *,
    agent: str,
    goal: str,
    task_id: str | None,
    parent: str | None,
    delegation: str | None,
    expires_in_s: int | None,
    config_path: Path | None,
    flags: tuple[str, ...],
) -> None:
    """Start a task of AGENT."""
    body = {
        "agent": agent,
        "goal": goal,
        "id": task_id,
        "parent": parent,
        "delegation": delegation,
        "expires_in_s": expires_in_s,
    }
    done = call(config_path, flags, "POST", "/v1/tasks", body)
    click.echo(f"started task {done['task_id']}, until {done['expires_at']}")


@command.command()
@click.argument("task_id")
@click.option("--reason", default="", help="Why; it is recorded.")
@options
def end(task_id: str, reason: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """End the task TASK_ID and all below it; take back what was issued for them."""
    done = call(config_path, flags, "POST", f"/v1/tasks/{segment(task_id)}/end", {"reason": reason})
    click.echo(f"ended {len(done['tasks'])} tasks, took back {done['permits_revoked']} permits")


@command.command(name="list")
@options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def list_tasks(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Show the open tasks."""
    tasks = call(config_path, flags, "GET", "/v1/tasks")["tasks"]
    if as_json:
        _reading.show_json(tasks)
        return
    names = ["task_id", "agent", "principal", "parent", "expires_at"]
    _reading.table(names, [[each[name] for name in names] for each in tasks])
