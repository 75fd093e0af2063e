"""``sealgate spool``: outcomes and items that wait on this machine because a server was away."""

import json
import os
import pathlib
import sys

import click

from sealgate.cli._paths import GivenPath
from sealgate.sdk.client import Client
from sealgate.sdk.sealing import load_key
from sealgate.sdk.settings import default_spool
from sealgate.sdk.shipping import read_refused, waiting_everywhere
from sealgate.sdk.spool import spools

_FOLDER = click.option(
    "--folder",
    type=GivenPath(),
    envvar="SEALGATE_SPOOL",
    help="The spool folder; below XDG_STATE_HOME or ~/.local/state by default.",
)


@click.group()
def command() -> None:
    """Look at and deliver outcomes and items that wait for a server."""


@command.command()
@_FOLDER
def show(folder: pathlib.Path | None) -> None:
    """Say how much waits for each authority and collector, and how much it refused."""
    folder = folder or default_spool(os.environ)
    found = [(*entry, "") for entry in spools(folder)] + [(*entry, " items") for entry in waiting_everywhere(folder)]
    if not found:
        print(f"nothing waits in {folder}")
    for target, waiting, refused, what in found:
        print(f"{target}: {waiting}{what} waiting, {refused} refused")


@command.command()
@_FOLDER
def refused(folder: pathlib.Path | None) -> None:
    """Print the items that a collector refused for good, one JSON object to a line: code, reason, item."""
    folder = folder or default_spool(os.environ)
    for marker in sorted((folder / "items").glob("*/target")):
        for entry in read_refused(marker.parent, load_key(folder)):
            print(json.dumps(entry))


@command.command()
@_FOLDER
@click.option("--socket", type=GivenPath(), help="The authority's Unix socket.")
@click.option("--url", help="Its HTTPS address instead.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(0, 3600), default=10.0, show_default=True, help="Seconds to try."
)
def flush(folder: pathlib.Path | None, socket: pathlib.Path | None, url: str | None, timeout_s: float) -> None:
    """Deliver now what waits for one authority and its collector. Exit status 1 if something still waits."""
    agent = os.environ.get("SEALGATE_AGENT", "spool")  # not sent: each report names its own
    with Client(agent=agent, socket=socket, url=url, spool=folder) as client:
        reports = client.core.courier.flush()
        items = client.core.recorder.shipper.flush(timeout_s)
        refused = client.core.courier.spool.refused()
    print(f"{client.core.settings.target}: {reports} waiting, {refused} refused")
    if client.core.recorder.spool.folder.is_dir():
        print(f"{client.core.settings.collector.target}: {items} items waiting")
    if reports or items:
        sys.exit(1)
