"""``sealgate collect``: run the collector until it is told to stop."""

import logging
import sys
from pathlib import Path

import click

from sealgate.cli import _wiring_collector
from sealgate.cli._configuration import options
from sealgate.server.access_log import AccessLog, Level
from sealgate.server.collector.api import collector_api
from sealgate.server.serving import Server, serve

_NOT_DRAINED = 3


@click.command()
@options
@click.option(
    "--access-log",
    type=click.Choice(["none", "problems", "all"]),
    default="problems",
    show_default=True,
    help="Which requests leave a line on standard error.",
)
def command(config_path: Path | None, flags: tuple[str, ...], access_log: Level) -> None:
    """Take batches of captured items and traces until SIGTERM or SIGINT.

    `sealgate serve` starts it beside the authority; alone it serves a site whose authority is elsewhere. Exits with 0
    when every answer under way was given, with 3 when the time for that ran out.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")

    def make() -> Server:
        collector, resolver, listeners = _wiring_collector.open_collector(config_path, flags)
        return Server(collector_api(collector), resolver, listeners, access_log=AccessLog(sys.stderr, access_log))

    if not serve(make):
        sys.exit(_NOT_DRAINED)
