"""The vault's folder: its own key file and unlock secret, two wrapped keys, the encrypted database.

::

    vault.key       wraps the other keys; opened by the passphrase in `unlock`, or where vault.passphrase says
    database.key    the database's key, wrapped        lookup.key   the key of keyed digests, wrapped
    vault.db        tokens, values, persons, look-ups

Nothing in here opens with the authority's or the reader's secrets, and nothing of theirs with these.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealgate.adapters import protected_files
from sealgate.adapters.durable import sync_directory
from sealgate.adapters.keys import file, passphrase
from sealgate.adapters.keys.envelope import COST_OF_HUMAN_PASSPHRASE, COST_OF_RANDOM_PASSPHRASE, Purpose
from sealgate.adapters.vault.database import SqlcipherVault
from sealgate.model.errors import ConfigurationError
from sealgate.vault.sealing import Sealing

KEY: Final = "vault.key"
UNLOCK: Final = "unlock"
DATABASE_KEY: Final = "database.key"
LOOKUP_KEY: Final = "lookup.key"
DATABASE: Final = "vault.db"


@dataclass(frozen=True, slots=True)
class OpenVault:
    """The opened folder."""

    store: SqlcipherVault
    sealing: Sealing


def create(folder: Path, *, created: str, secret: bytes | None = None) -> None:
    """Make a new vault in a new folder of mode 0700, durable on return. Without a passphrase a random one is kept here.

    If we die half-way, the folder is there without its database; ``create`` then refuses, and nothing was in it yet.

    Raises:
        ConfigurationError: the folder exists.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError as error:
        raise ConfigurationError(f"`{folder}` exists", hint="a vault is never overwritten") from error
    cost = COST_OF_RANDOM_PASSPHRASE if secret is None else COST_OF_HUMAN_PASSPHRASE
    if secret is None:
        secret = secrets.token_urlsafe(32).encode()
        protected_files.create(folder / UNLOCK, secret + b"\n")
    file.generate(folder / KEY, Purpose.VAULT, secret, created=created, cost=cost)
    wrapping = file.open_wrapping_key(folder / KEY, secret, Purpose.VAULT)
    database_key = os.urandom(32)
    protected_files.create(folder / DATABASE_KEY, wrapping.wrap(database_key))
    protected_files.create(folder / LOOKUP_KEY, wrapping.wrap(os.urandom(32)))
    SqlcipherVault.create(folder / DATABASE, database_key)
    sync_directory(folder)
    sync_directory(folder.parent)


def open_folder(folder: Path, reference: str, *, base: Path) -> OpenVault:
    """Open the vault.

    Raises:
        ConfigurationError: something is missing, open to others, or does not open with this passphrase.
        AlteredError: a wrapped key was changed.
        UnavailableError: the database cannot be read or written.
    """
    secret = passphrase.read(reference, base=base)
    wrapping = file.open_wrapping_key(folder / KEY, secret, Purpose.VAULT)
    database_key = wrapping.unwrap(protected_files.read(folder / DATABASE_KEY))
    lookup_key = wrapping.unwrap(protected_files.read(folder / LOOKUP_KEY))
    return OpenVault(SqlcipherVault(folder / DATABASE, database_key), Sealing(wrapping, lookup_key))
