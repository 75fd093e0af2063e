"""``sealgate evidence``: run the service through which evidence is read; ask how far it follows."""

import logging
import sys
from pathlib import Path
from typing import Final

import click

from sealgate.cli import _reading
from sealgate.cli._configuration import options
from sealgate.server.access_log import AccessLog, Level

_NOT_DRAINED: Final = 3


@click.group()
def command() -> None:
    """Run the evidence service; ask how far it follows."""


@command.command()
@options
@click.option(
    "--access-log",
    type=click.Choice(["none", "problems", "all"]),
    default="problems",
    show_default=True,
    help="Which requests leave a line on standard error. Every read has its record in any case.",
)
def serve(config_path: Path | None, flags: tuple[str, ...], access_log: Level) -> None:
    """Follow the journal and answer readers until SIGTERM or SIGINT.

    `sealgate serve` starts it beside the authority. Exits with 3 when answers under way could not be given in time.
    """
    from sealgate.cli import _wiring_evidence  # noqa: PLC0415  # loads the database engine
    from sealgate.server.evidence.api import evidence_api  # noqa: PLC0415
    from sealgate.server.serving import Server  # noqa: PLC0415
    from sealgate.server.serving import serve as run_server  # noqa: PLC0415

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")

    def make() -> Server:
        service, resolver, listeners = _wiring_evidence.open_evidence(config_path, flags)
        return Server(evidence_api(service), resolver, listeners, access_log=AccessLog(sys.stderr, access_log))

    if not run_server(make):
        sys.exit(_NOT_DRAINED)


@command.command()
@_reading.question
def status(
    config_path: Path | None, flags: tuple[str, ...], reason: str | None, role: str | None, *, as_json: bool
) -> None:
    """Show how far the store follows the log."""
    with _reading.client(config_path, flags, reason, role) as client:
        answer = client.status()
    if as_json:
        _reading.show_json(answer)
        return
    for name, value in answer["status"].items():
        click.echo(f"{name:<16}{value}")
