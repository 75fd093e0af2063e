"""``sealgate serve``: run the authority until it is told to stop."""

import importlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, cast

import click

from sealgate.cli._children import Supervisor
from sealgate.cli._configuration import options
from sealgate.ports.identity import IdentityResolver
from sealgate.server.access_log import AccessLog, Level
from sealgate.server.api import authority_api
from sealgate.server.handlers import Handlers
from sealgate.server.listeners import Listeners
from sealgate.server.operations import Operations
from sealgate.server.serving import Server
from sealgate.server.serving import serve as run_server

_NOT_DRAINED: Final = 3


class _Wiring(Protocol):
    """``sealgate.cli._wiring``: the one place that chooses adapters."""

    open_authority: Callable[[Path | None, tuple[str, ...]], tuple[Operations, IdentityResolver, Listeners]]
    open_children: Callable[[Path | None, tuple[str, ...]], Supervisor | None]


@click.command()
@options
@click.option(
    "--access-log",
    type=click.Choice(["none", "problems", "all"]),
    default="problems",
    show_default=True,
    help="Which requests leave a line on standard error. Decisions have their record in any case.",
)
@click.option("--alone", is_flag=True, help="Start no other process beside the authority.")
def command(config_path: Path | None, flags: tuple[str, ...], access_log: Level, *, alone: bool) -> None:
    """Serve decisions until SIGTERM or SIGINT; SIGHUP reads the TLS files again.

    The processes that the configuration asks for (the collector, for one) are started beside it, started again when
    they end, and stopped first. None of them can hold up or harm a decision.

    Exits with 0 when every answer under way was given and everything accepted is durable, with 3 when the
    time for that ran out. What was acknowledged is durable in either case.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    wiring = cast("_Wiring", importlib.import_module("sealgate.cli._wiring"))

    def make() -> Server:
        operations, resolver, listeners = wiring.open_authority(config_path, flags)
        log = AccessLog(sys.stderr, access_log)
        children = None if alone else wiring.open_children(config_path, flags)
        api = authority_api(operations, listeners)
        if children is not None:
            cast("Handlers", api.handlers).children = children.states
        return Server(api, resolver, listeners, access_log=log, companions=children)

    if not run_server(make):
        sys.exit(_NOT_DRAINED)
