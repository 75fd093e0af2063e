"""A change of the wrapping key: everything that the old one wrapped is wrapped anew, all of it or nothing that counts.

The file ``rewrapping`` stands in the folder of keys from before the first row is touched until the new key is in use:
as long as it is there nobody opens a wrapping key, and another run goes on where this one stopped. What was wrapped
anew already is found by opening it.
"""

import sqlite3
from pathlib import Path
from typing import Final

from sealgate.adapters import protected_files
from sealgate.adapters.durable import sync_directory
from sealgate.adapters.evidence import keyfile
from sealgate.adapters.keys import datakeys_file
from sealgate.adapters.keys.envelope import Purpose
from sealgate.adapters.keys.keyring import REWRAPPING, Keyring
from sealgate.adapters.keys.rotation import Rotation, RotationFiles
from sealgate.model.errors import AlteredError, ConfigurationError, UnavailableError
from sealgate.ports.wrapping import WrappingKey

_MAX_NAME: Final = 255


def under_way(ring: Keyring) -> tuple[str, str] | None:
    """Return the names of the key that ends and of the one that is used from then on; None where no change began."""
    path = ring.directory / REWRAPPING
    if not path.exists():
        return None
    old, _, new = protected_files.read(path).decode("utf-8", "replace").removesuffix("\n").partition("\n")
    if not old or not new or "/" in old + new or len(old + new) > _MAX_NAME:
        raise ConfigurationError(f"file `{path}` does not name two keys", hint="restore the folder of keys from a copy")
    return old, new


def begin(ring: Keyring, new: str) -> None:
    """Say that the change to ``new`` is under way, durable on return."""
    names = f"{ring.current_name(Purpose.WRAPPING)}\n{new}\n"
    protected_files.create(ring.directory / REWRAPPING, names.encode())


def finish(ring: Keyring, rotation: Rotation, files: RotationFiles, *, data_keys: Path, evidence: Path) -> int:
    """Wrap everything anew, leave the change to be recorded, use the new key; return how many keys there were.

    Only while nothing of the installation runs. If we die anywhere in here, call it again.

    Raises:
        AlteredError: a key opens with neither; nothing is changed.
        UnavailableError: a file cannot be written, or is in use.
    """
    names = under_way(ring)
    if names is None:
        raise ConfigurationError("no change of the wrapping key is under way")
    old, new = (ring.wrapping_key(name) for name in names)
    count = _data_keys(data_keys, old, new) + _evidence(evidence, old, new)
    if not files.pending():
        files.prepare(rotation)
    ring.switch(names[1], Purpose.WRAPPING)
    (ring.directory / REWRAPPING).unlink()
    sync_directory(ring.directory)
    return count


def _data_keys(path: Path, old: WrappingKey, new: WrappingKey) -> int:
    """Wrap each data key anew in one transaction, and leave no page with the old form."""
    database = datakeys_file.open_file(path)
    try:
        database.execute("BEGIN IMMEDIATE")
        rows = database.execute("SELECT key_id, wrapped FROM data_keys").fetchall()
        for key_id, wrapped in rows:
            changed = _anew(bytes(wrapped), old, new)
            database.execute("UPDATE data_keys SET wrapped=? WHERE key_id=?", (changed, key_id))
        database.execute("COMMIT")
        datakeys_file.scrub(database, path)
    except sqlite3.Error as error:
        raise UnavailableError(f"data key database cannot be used: {error}", hint="stop `sealgate serve`") from error
    finally:
        database.close()
    return len(rows)


def _evidence(directory: Path, old: WrappingKey, new: WrappingKey) -> int:
    """Wrap the keys of all stores below the evidence folder anew: there are two while one is being replaced."""
    stores = [path.parent for path in sorted(directory.glob(f"*/{keyfile.FILE_NAME}"))]
    for store in stores:
        try:
            keyfile.read(store, new)
        except AlteredError:
            key = keyfile.read(store, old)
            if key is not None:
                keyfile.write(store, key, new)
    return len(stores)


def _anew(wrapped: bytes, old: WrappingKey, new: WrappingKey) -> bytes:
    try:
        new.unwrap(wrapped)
    except AlteredError:
        return new.wrap(old.unwrap(wrapped))
    return wrapped
