"""The witness's own key: a PKCS#8 PEM file that only its owner can read, made once by ``init``."""

import os
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealgate.encoding.statement import key_id
from sealgate.model.errors import ConfigurationError
from sealgate.proofs.keys import require_public_key

_OTHERS: Final = 0o077


class FileSigner:
    """Implements ``ports.signer.Signer`` with the key of a file."""

    def __init__(self, path: Path) -> None:
        try:
            if path.stat().st_mode & _OTHERS:
                raise ConfigurationError(f"witness key `{path}` can be read by others", hint="chmod 600")
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"witness key `{path}` cannot be read: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigurationError(f"witness key `{path}` is not an Ed25519 key")
        self._key = key
        self.public_key = require_public_key(key.public_key().public_bytes_raw())
        self.key_id = key_id(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """See the port."""
        return self._key.sign(message)


def generate(path: Path) -> FileSigner:
    """Make a new key file, durable on return, and open it.

    Raises:
        ConfigurationError: the file exists or cannot be written.
    """
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise ConfigurationError(f"witness key `{path}` cannot be made: {error}") from error
    return FileSigner(path)
