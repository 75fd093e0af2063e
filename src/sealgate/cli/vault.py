"""``sealgate vault``: make the vault of an installation, run it."""

import logging
import sys
from pathlib import Path

import click

from sealgate.adapters.keys import passphrase
from sealgate.adapters.vault import folder
from sealgate.cli._configuration import load, now, options
from sealgate.server.access_log import AccessLog, Level
from sealgate.server.serving import serve as run_server

_NOT_DRAINED = 3


@click.group()
def command() -> None:
    """Run the vault: what tokens stand for, apart from everything else."""


@command.command()
@options
def init(config_path: Path | None, flags: tuple[str, ...]) -> None:
    """Make the vault of an installation that has none; `sealgate init` has made it already for newer ones."""
    found = load(config_path, flags)
    reference = found.vault.passphrase
    own = found.vault.directory / folder.UNLOCK
    kept_here = reference in {"file:vault/unlock", f"file:{own}"}
    secret = None if kept_here else passphrase.read(reference, base=found.data_directory)
    folder.create(found.vault.directory, created=now(), secret=secret)
    click.echo(f"made the vault in {found.vault.directory}; `sealgate vault serve` runs it")


@command.command()
@options
@click.option(
    "--access-log",
    type=click.Choice(["none", "problems", "all"]),
    default="problems",
    show_default=True,
    help="Which requests leave a line on standard error. Never values, never tokens.",
)
def serve(config_path: Path | None, flags: tuple[str, ...], access_log: Level) -> None:
    """Serve the vault on its own socket until SIGTERM or SIGINT. Exits with 3 when stopping took too long."""
    from sealgate.cli._wiring_vault import open_vault  # noqa: PLC0415  # only this command needs the database's library

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    found = load(config_path, flags)
    if not run_server(lambda: open_vault(found, AccessLog(sys.stderr, access_log))):
        sys.exit(_NOT_DRAINED)
