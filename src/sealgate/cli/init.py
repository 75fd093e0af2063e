"""``sealgate init``: make a new authority."""

import os
import re
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from sealgate.adapters import installation
from sealgate.adapters.configuration.sections.keys import Keys
from sealgate.adapters.installation import Plan
from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.keys import passphrase
from sealgate.adapters.stores.lock_sqlite import SqliteLock
from sealgate.adapters.vault import folder as vault
from sealgate.cli._configuration import now
from sealgate.cli._paths import GivenPath

JOURNAL: Final = "journal"
LOCK: Final = "lock.db"
STAGING: Final = "staging"
EVIDENCE: Final = "evidence"
VAULT: Final = "vault"


def default_origin() -> str:
    """Return ``<host>/<year>h<half>``: one shard per half-year keeps retention simple."""
    today = datetime.now(UTC)
    host = re.sub(r"[^a-z0-9.-]", "-", socket.gethostname().lower()).strip(".-") or "localhost"
    return f"{host}/{today.year}h{1 if today.month <= 6 else 2}"


def _default_authority_id() -> str:
    return re.sub(r"[^a-z0-9._-]", "-", socket.gethostname().lower()).strip("._-")[:64] or "authority"


@click.command()
@click.argument("directory", type=GivenPath(), default=Path("sealgate"))
@click.option("--origin", default=default_origin, help="The log's name: host and path without scheme.")
@click.option("--authority-id", default=_default_authority_id, help="The authority's name in statements.")
@click.option("--passphrase", metavar="REFERENCE", help="Where the keys' passphrase is; none: a random one.")
@click.option("--root-passphrase", metavar="REFERENCE", help="Where the root key's passphrase is; none: a random one.")
@click.option("--pkcs11-module", type=GivenPath(exists=True), help="Keys are on this PKCS#11 device.")
@click.option("--pkcs11-token", default="", help="The label of its token; `sealgate keys generate-on-device` fills it.")
@click.option("--pkcs11-pin", default="", metavar="REFERENCE", help="Where its user PIN is.")
@click.option("--pkcs11-wrapping-token", default="", help="The label of another token, for the wrapping key alone.")
@click.option("--pkcs11-wrapping-pin", default="", metavar="REFERENCE", help="Where that token's user PIN is.")
@click.option("--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="Write a setting into the file.")
@click.option("--predecessor", type=GivenPath(exists=True), help="The closed shard's last checkpoint.")
def command(
    *,
    directory: Path,
    origin: str,
    authority_id: str,
    passphrase: str | None,
    root_passphrase: str | None,
    predecessor: Path | None,
    pkcs11_module: Path | None,
    pkcs11_token: str,
    pkcs11_pin: str,
    pkcs11_wrapping_token: str,
    pkcs11_wrapping_pin: str,
    settings: tuple[str, ...],
) -> None:
    """Make a new authority in DIRECTORY (./sealgate): keys, databases, configuration, trust file.

    Never overwrites. A REFERENCE is file:/path, credential:name or command:program.
    """
    device = None
    if pkcs11_module is not None:
        module = pkcs11_module.absolute()
        device = Keys(
            store="pkcs11",
            pkcs11_module=module,
            pkcs11_token=pkcs11_token,
            pkcs11_pin=pkcs11_pin,
            pkcs11_wrapping_token=pkcs11_wrapping_token,
            pkcs11_wrapping_pin=pkcs11_wrapping_pin,
        )
    plan = Plan(
        origin=origin,
        authority_id=authority_id,
        operator_uid=os.getuid(),
        created=now(),
        predecessor=None if predecessor is None else predecessor.read_text("utf-8"),
        passphrase=_secret(passphrase),
        passphrase_reference=passphrase,
        root_passphrase=_secret(root_passphrase),
        device=device,
        settings=settings,
    )

    def create_rest(data: Path, origin: str) -> None:
        create_stores(data, origin)
        vault.create(data / VAULT, created=plan.created, secret=plan.passphrase)

    installation.create(directory, plan, extra=create_rest)
    click.echo(_next_steps(directory, plan))


def create_stores(data: Path, origin: str) -> None:
    """Make the empty journal, the log's lock database and its staging area in a new data directory."""
    FileJournal.create(data / JOURNAL, origin)
    SqliteLock.create(data / LOCK, origin)
    (data / STAGING).mkdir(mode=0o700, exist_ok=True)


def _secret(reference: str | None) -> bytes | None:
    return None if reference is None else passphrase.read(reference)


def _next_steps(directory: Path, plan: Plan) -> str:
    root = f"{directory}/keys/root.key"
    if plan.root_passphrase is None:
        root += f" and {directory}/keys/root-unlock"
    return f"""\
Made the authority `{plan.authority_id}` with the log `{plan.origin}` in {directory}.

Next:
  1. Move {root}
     to a medium that is not connected to this machine. Only a change of keys needs it; who has it can name new keys.
  2. Give {directory}/trust.json to whoever will verify, by a way that this machine does not control.
  3. sealgate serve --config {directory}/sealgate.toml
  4. sealgate doctor --config {directory}/sealgate.toml"""
