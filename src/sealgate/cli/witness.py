"""``sealgate witness init|serve``: run a witness for one's own or another's log."""

import sys
import time
from pathlib import Path

import click
import uvicorn

from sealgate.cli._paths import GivenPath
from sealgate.model.errors import ConfigurationError
from sealgate.proofs import notes
from sealgate.proofs.notes import VerifierKey
from sealgate.witness import keyfile, state
from sealgate.witness.core import Witness
from sealgate.witness.server import WitnessApplication

_directory = click.argument("directory", type=GivenPath(file_okay=False))


@click.group(name="witness")
def command() -> None:
    """Cosign a log's checkpoints, so that its history cannot fork unseen."""


@command.command()
@_directory
@click.option("--name", required=True, help="Key name, a URL without scheme: witness.example/w1.")
def init(directory: Path, name: str) -> None:
    """Make a new witness in DIRECTORY: its key and its database, once; print its verifier key."""
    notes.require_key_name(name)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = directory / "witness.sqlite"
    if database.exists():
        raise ConfigurationError(f"`{directory}` already holds a witness")
    signer = keyfile.generate(directory / "witness.key")
    # If we die here there is a key without a database: serve refuses, and no one trusts the key yet.
    state.create(database, name, signer.public_key)
    click.echo(VerifierKey(name, notes.COSIGNATURE_ED25519, signer.public_key).encode())


@command.command()
@_directory
@click.option("--log", "logs", multiple=True, help="Verifier key of a log whose origin is the key's name.")
@click.option("--log-of", "foreign", nargs=2, multiple=True, help="ORIGIN and verifier key of another log.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=7390, show_default=True, help="0 takes a free one.")
def serve(directory: Path, logs: tuple[str, ...], foreign: tuple[tuple[str, str], ...], host: str, port: int) -> None:
    """Serve the witness in DIRECTORY for these logs. Refuses to start without its database."""
    known: dict[str, list[VerifierKey]] = {}
    for origin, text in (*((None, text) for text in logs), *foreign):
        key = notes.parse_vkey(text)
        known.setdefault(key.name if origin is None else origin, []).append(key)
    if not known:
        raise ConfigurationError("no log is named", hint="give at least one --log")
    witness = Witness(
        state.State(directory / "witness.sqlite"),
        keyfile.FileSigner(directory / "witness.key"),
        known,
        unix_s=lambda: int(time.time()),
        alarm=lambda text: print(f"ALARM {text}", file=sys.stderr, flush=True),
    )
    uvicorn.run(WitnessApplication(witness), host=host, port=port, log_level="info", access_log=False)
