"""``sealgate mcp``: put the gate before MCP servers, approve their tools, rewrite the configuration of clients."""

import asyncio
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import click

from sealgate.cli._paths import GivenPath
from sealgate.gateway import clients, methods, secrets
from sealgate.gateway.approvals import StateSeal
from sealgate.gateway.pins import Pins
from sealgate.gateway.relay import DEFAULT_TIMEOUT_S, Options
from sealgate.gateway.stdio import Wrapped
from sealgate.gateway.stdio import wrap as run_wrap
from sealgate.model.identifiers import require_name
from sealgate.sdk.client import AsyncClient
from sealgate.sdk.settings import default_spool


def default_pins() -> Path:
    """Return the file of pins of this user."""
    return default_spool(os.environ).parent / "mcp-pins.json"


_pins = click.option("--pins", type=GivenPath(dir_okay=False), envvar="SEALGATE_MCP_PINS", help="The file of pins.")


@click.group()
def command() -> None:
    """Put the gate before MCP servers; approve tools; rewrite the configuration of clients."""


@command.command(context_settings={"ignore_unknown_options": True})
@click.option("--name", help="The server's name in policies and pins; by default its program's.")
@click.option("--agent", help="Who acts (SEALGATE_AGENT).")
@click.option("--socket", type=GivenPath(), help="The authority's socket (SEALGATE_SOCKET).")
@click.option("--env", "plain", multiple=True, metavar="NAME[=VALUE]", help="A variable of the server.")
@click.option("--secret", "secret", multiple=True, metavar="NAME=REFERENCE", help="A secret: file:… or command:….")
@click.option("--timeout-s", type=float, default=DEFAULT_TIMEOUT_S, show_default=True, help="Of one call, in seconds.")
@click.option(
    "--first",
    type=click.Choice(["approve", "quarantine"]),
    default="approve",
    show_default=True,
    help="What happens to the tools of a server that was never seen.",
)
@click.option("--any-definition", is_flag=True, help="Do not require the definitions of the policy set in force.")
@_pins
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED)
def wrap(
    name: str | None,
    agent: str | None,
    socket: Path | None,
    plain: tuple[str, ...],
    secret: tuple[str, ...],
    timeout_s: float,
    first: str,
    *,
    any_definition: bool,
    pins: Path | None,
    argv: tuple[str, ...],
) -> None:
    """Run the server COMMAND behind the gate: `sealgate mcp wrap -- COMMAND ARGUMENT…`.

    A client starts this instead of the server and speaks MCP with it over standard input and output. Exits with the
    server's status.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    server = require_name(name or Path(argv[0]).name, "server")
    client = AsyncClient(agent=agent, server=server, socket=socket)
    wrapped = Wrapped(server, argv, secrets.environment(os.environ, plain, secret))
    store = Pins(pins or default_pins(), trust_first=first == "approve")
    options = Options(timeout_s=timeout_s, definitions=not any_definition)
    sys.exit(_run(run_wrap(wrapped, client.core, store, options, seal=_seal(store))))


@command.command()
@click.argument("configuration", type=GivenPath(dir_okay=False))
def serve(configuration: Path) -> None:
    """Serve the servers that CONFIGURATION (gateway.toml) names at one streamable HTTP endpoint, until SIGTERM."""
    from sealgate.gateway.configuration import load  # noqa: PLC0415  # HTTP and who calls: clients wait for `wrap`
    from sealgate.gateway.serving import serve as run_serve  # noqa: PLC0415

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    found = load(configuration)
    client = AsyncClient(agent=found.agent or "mcp-gateway", socket=found.socket)
    store = Pins(found.pins or default_pins(), trust_first=found.first == "approve")
    _run(run_serve(found, client.core, store, _seal(store)))


def _seal(store: Pins) -> StateSeal:
    """Return what seals the state of calls that wait for approval; its key is beside the pins."""
    return StateSeal.kept(store.path.with_name(store.path.name + ".state-key"))


def _run(work: Any) -> int:
    import uvloop  # noqa: PLC0415  # only what serves needs it

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return int(runner.run(work) or 0)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with the whole definitions.")
@_pins
def pins(pins: Path | None, *, as_json: bool) -> None:
    """Show the tools of every server that was seen, and which of them are quarantined."""
    known = Pins(pins or default_pins()).all()
    if as_json:
        click.echo(json.dumps(known, indent=2, sort_keys=True))
        return
    for server, tools in sorted(known.items()):
        for tool, pin in sorted(tools.items()):
            state = "approved" if pin["approved"] == pin["offered"] else f"QUARANTINED: {pin['reason']}"
            click.echo(f"{server}\t{tool}\t{pin['offered'][:16]}\t{state}")


@command.command()
@click.argument("server")
@click.argument("tool", required=False)
@click.option("--all", "everything", is_flag=True, help="All tools that the server offers now.")
@_pins
def approve(server: str, tool: str | None, pins: Path | None, *, everything: bool) -> None:
    """Approve TOOL of SERVER as it is offered now. Look at it first: `sealgate mcp pins --json`."""
    if (tool is None) is not everything:
        raise click.UsageError("name one TOOL, or give --all")
    for name in Pins(pins or default_pins()).approve(server, tool):
        click.echo(f"approved `{name}` of `{server}`")


@command.command()
@click.argument("directory", type=GivenPath(file_okay=False))
@click.option("--server", "servers", multiple=True, help="Only these servers.")
@_pins
def definitions(directory: Path, servers: tuple[str, ...], pins: Path | None) -> None:
    """Write the approved tools, and the methods that are decided like tools, as tools/*.json of a policy DIRECTORY."""
    folder = directory / "tools"
    folder.mkdir(parents=True, exist_ok=True)
    known = Pins(pins or default_pins()).all()
    for server, tools in sorted(known.items()):
        if servers and server not in servers:
            continue
        approved = [pin["definition"] for _, pin in sorted(tools.items()) if pin["approved"] == pin["offered"]]
        _write(folder / f"{server}.json", server, approved)
    _write(folder / "mcp.json", "mcp", methods.definitions())


def _write(path: Path, server: str, tools: list[Any]) -> None:
    path.write_text(json.dumps({"server": server, "tools": tools}, indent=2) + "\n", encoding="utf-8")
    click.echo(f"{path}: {len(tools)} tools")


@command.command(name="import")
@click.argument("client", type=click.Choice(sorted(clients.CLIENTS)))
@click.argument("files", nargs=-1, required=True, type=GivenPath(dir_okay=False, exists=True))
@click.option("--agent", help="Who acts; without it the wrapper takes SEALGATE_AGENT.")
@click.option("--socket", type=GivenPath(), help="The authority's socket.")
@click.option("--undo", is_flag=True, help="Put back what was there before.")
def import_(client: str, files: tuple[Path, ...], agent: str | None, socket: Path | None, *, undo: bool) -> None:
    """Put the gate before every server in the configuration FILES of CLIENT; a copy of each file is kept."""
    options = [*(("--agent", agent) if agent else ()), *(("--socket", str(socket.absolute())) if socket else ())]
    for path in files:
        if undo:
            clients.undo(path)
            click.echo(f"{path}: as it was before")
            continue
        done = clients.import_file(client, path, clients.Wrapper(_program(), options))
        click.echo(f"{path}: {len(done.wrapped)} servers behind the gate: {', '.join(done.wrapped) or 'none'}")
        for name, reason in done.left.items():
            click.echo(f"  not `{name}`: {reason}")
        for variable in done.exposed:
            click.echo(f"  the client can read {variable}; move it to `--secret NAME=file:PATH`")


def _program() -> str:
    beside = Path(sys.executable).with_name("sealgate")
    return str(beside) if beside.is_file() else "sealgate"
