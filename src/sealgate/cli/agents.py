"""``sealgate agents``: who has decisions open, who is paused; stop an agent, let it go on."""

import json
from pathlib import Path

import click
from rich.console import Console

from sealgate.cli._calls import call, segment
from sealgate.cli._configuration import options
from sealgate.cli._tables import folding


@click.group()
def command() -> None:
    """List, pause and resume agents of the running authority."""


@command.command(name="list")
@options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def list_agents(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Show agents that are paused or have open decisions."""
    found = call(config_path, flags, "GET", "/v1/agents")
    agents = found["agents"] if isinstance(found, dict) else found
    if as_json:
        click.echo(json.dumps(agents))
        return
    table = folding("agent", "paused", "open decisions")
    for agent in agents:
        table.add_row(agent["agent"], agent["paused"] or "", str(agent["open_decisions"]))
    Console().print(table)


@command.command()
@click.argument("agent")
@click.option("--reason", required=True, help="Why; it is recorded and told to the agent.")
@options
def pause(agent: str, reason: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Stop AGENT: its next decision is DENY, permits already out are refused."""
    done = call(config_path, flags, "POST", f"/v1/agents/{segment(agent)}/pause", {"reason": reason})
    click.echo(f"paused `{agent}`; record {done['record_id']}")


@command.command()
@click.argument("agent")
@options
def resume(agent: str, config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Let AGENT go on."""
    done = call(config_path, flags, "POST", f"/v1/agents/{segment(agent)}/resume", {})
    click.echo(f"resumed `{agent}`; record {done['record_id']}")
