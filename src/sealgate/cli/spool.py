"""``sealgate spool``: outcomes that wait on this machine because the authority was away."""

import os
import pathlib
import sys

import click

from sealgate.sdk.client import Client
from sealgate.sdk.settings import default_spool
from sealgate.sdk.spool import spools

_FOLDER = click.option(
    "--folder",
    type=click.Path(path_type=pathlib.Path),
    envvar="SEALGATE_SPOOL",
    help="The spool folder; below XDG_STATE_HOME or ~/.local/state by default.",
)


@click.group()
def command() -> None:
    """Look at and deliver outcomes that wait for the authority."""


@command.command()
@_FOLDER
def show(folder: pathlib.Path | None) -> None:
    """Say how many reports wait for each authority, and how many it refused."""
    folder = folder or default_spool(os.environ)
    found = spools(folder)
    if not found:
        print(f"nothing waits in {folder}")
    for target, waiting, refused in found:
        print(f"{target}: {waiting} waiting, {refused} refused")


@command.command()
@_FOLDER
@click.option("--socket", type=click.Path(path_type=pathlib.Path), help="The authority's Unix socket.")
@click.option("--url", help="Its HTTPS address instead.")
def flush(folder: pathlib.Path | None, socket: pathlib.Path | None, url: str | None) -> None:
    """Deliver now what waits for one authority. Exit status 1 if something still waits."""
    agent = os.environ.get("SEALGATE_AGENT", "spool")  # not sent: each report names its own
    with Client(agent=agent, socket=socket, url=url, spool=folder) as client:
        left = client.flush()
        refused = client.core.courier.spool.refused()
    print(f"{client.core.settings.target}: {left} waiting, {refused} refused")
    if left:
        sys.exit(1)
