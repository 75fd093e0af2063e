"""``sealgate serve``: run the authority until it is told to stop."""

import importlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, cast

import click

from sealgate.cli._configuration import options
from sealgate.ports.identity import IdentityResolver
from sealgate.server.access_log import AccessLog, Level
from sealgate.server.api import authority_api
from sealgate.server.listeners import Listeners
from sealgate.server.operations import Operations
from sealgate.server.serving import Server
from sealgate.server.serving import serve as run_server

_NOT_DRAINED: Final = 3


class _Wiring(Protocol):
    """``sealgate.cli._wiring``: the one place that chooses adapters."""

    open_authority: Callable[[Path | None, tuple[str, ...]], tuple[Operations, IdentityResolver, Listeners]]


@click.command()
@options
@click.option(
    "--access-log",
    type=click.Choice(["none", "problems", "all"]),
    default="problems",
    show_default=True,
    help="Which requests leave a line on standard error. Decisions have their record in any case.",
)
def command(config_path: Path | None, flags: tuple[str, ...], access_log: Level) -> None:
    """Serve decisions until SIGTERM or SIGINT; SIGHUP reads the TLS files again.

    Exits with 0 when every answer under way was given and everything accepted is durable, with 3 when the
    time for that ran out. What was acknowledged is durable in either case.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    wiring = cast("_Wiring", importlib.import_module("sealgate.cli._wiring"))

    def make() -> Server:
        operations, resolver, listeners = wiring.open_authority(config_path, flags)
        log = AccessLog(sys.stderr, access_log)
        return Server(authority_api(operations, listeners), resolver, listeners, access_log=log)

    if not run_server(make):
        sys.exit(_NOT_DRAINED)
