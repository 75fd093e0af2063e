"""``sealgate package``: record what was checked and what is installed."""

import json
from pathlib import Path

import click
from rich.console import Console

from sealgate.cli._calls import call
from sealgate.cli._configuration import options
from sealgate.cli._tables import folding


@click.group()
def command() -> None:
    """Verifications and installations of tool packages."""


@command.command()
@click.argument("package")
@click.argument("version")
@click.option("--method", required=True, help="How it was checked, e.g. sigstore, checksum, review.")
@click.option("--result", required=True, type=click.Choice(["passed", "failed"]), help="What came out.")
@click.option("--publisher", help="Who publishes it, as proved by the check.")
@click.option("--score", type=click.IntRange(0, 100), help="0 to 100, where the method gives one.")
@click.option("--sha256", "artifact_sha256", help="The digest of the artifact, hex.")
@options
def verify(
    package: str,
    version: str,
    config_path: Path | None,
    flags: tuple[str, ...],
    **found: str | int | None,
) -> None:
    """Record that VERSION of PACKAGE was checked."""
    done = call(
        config_path, flags, "POST", "/v1/packages/verifications", {"package": package, "version": version, **found}
    )
    click.echo(f"recorded; record {done['record_id']}")


@command.command()
@click.argument("package")
@click.argument("version")
@click.option("--agent", required=True, help="For which agent.")
@click.option("--server", required=True, help="The tool server that it is, as policies name it.")
@options
def install(
    package: str, version: str, agent: str, server: str, config_path: Path | None, flags: tuple[str, ...]
) -> None:
    """Record that VERSION of PACKAGE is installed for an agent, with its verification as it is now."""
    body = {"package": package, "version": version, "agent": agent, "server": server}
    done = call(config_path, flags, "POST", "/v1/packages/installations", body)
    click.echo(f"recorded; record {done['record_id']}")


@command.command(name="list")
@options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_packages(config_path: Path | None, flags: tuple[str, ...], *, as_json: bool) -> None:
    """Show the newest verification of each version, and what is installed for whom."""
    found = call(config_path, flags, "GET", "/v1/packages")
    if as_json:
        click.echo(json.dumps(found))
        return
    table = folding("package", "version", "publisher", "method", "result", "score", "time")
    for one in found["verified"]:
        table.add_row(*(str(one[str(column.header)] or "") for column in table.columns))
    Console().print(table)
    table = folding("agent", "server", "package", "version", "time")
    for one in found["installed"]:
        table.add_row(*(one[str(column.header)] for column in table.columns))
    Console().print(table)
