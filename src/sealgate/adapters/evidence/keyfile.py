"""The store's key file: which generation of the hot database counts, and its key, wrapped.

Replacing this file is what commits a new generation; the old key is then gone, and with it whatever the old file held.
"""

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealgate.adapters import protected_files
from sealgate.encoding import canonical
from sealgate.model.errors import ConfigurationError, EncodingError
from sealgate.ports.wrapping import WrappingKey

FILE_NAME: Final = "evidence.key"
_FORMAT: Final = "sealgate-evidence-key/v1"


@dataclass(frozen=True, slots=True)
class HotKey:
    """The key of one generation of the hot database."""

    generation: int
    key: bytes

    @classmethod
    def fresh(cls, generation: int) -> "HotKey":
        """Return a new random key."""
        return cls(generation, os.urandom(32))

    @property
    def file_name(self) -> str:
        """The name of the database file of this generation."""
        return f"hot-{self.generation:06d}.duckdb"


def read(directory: Path, wrapping: WrappingKey) -> HotKey | None:
    """Return the key that counts, or None where there is no store yet.

    Raises:
        ConfigurationError: the file is malformed or open to others.
        AlteredError: another key-encryption key wrapped it.
    """
    path = directory / FILE_NAME
    if not path.exists():
        return None
    try:
        content = canonical.decode(protected_files.read(path).removesuffix(b"\n"))
        match content:
            case {"format": "sealgate-evidence-key/v1", "generation": int() as generation, "wrapped": str() as wrapped}:
                return HotKey(generation, wrapping.unwrap(base64.b64decode(wrapped, validate=True)))
    except (EncodingError, ValueError):
        pass
    raise ConfigurationError(f"`{path}` is no key file of an evidence store", hint="remove the folder and rebuild it")


def write(directory: Path, key: HotKey, wrapping: WrappingKey) -> None:
    """Make ``key`` the one that counts; durable on return.

    Raises:
        UnavailableError: it cannot be wrapped or written; the old one stands.
    """
    wrapped = base64.b64encode(wrapping.wrap(key.key)).decode()
    members: dict[str, canonical.Json] = {"format": _FORMAT, "generation": key.generation, "wrapped": wrapped}
    protected_files.replace(directory / FILE_NAME, canonical.encode(members) + b"\n")
