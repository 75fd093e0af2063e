"""Keys in encrypted files: the embedded default. The secret is in memory of this process only while it is open.

Trusted: whoever has both a key file and its passphrase has the key.
"""

import hmac
import os
from pathlib import Path

import nacl.bindings
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from sealgate.adapters import protected_files
from sealgate.adapters.keys import envelope, sodium
from sealgate.adapters.keys.envelope import COST_OF_HUMAN_PASSPHRASE, Cost, Header, Purpose
from sealgate.encoding import statement
from sealgate.model.errors import AlteredError, ConfigurationError
from sealgate.proofs.keys import require_public_key


class FileSigner:
    """Signs with an Ed25519 key held in memory (ports.signer.Signer). May be called from any thread."""

    def __init__(self, seed: bytes) -> None:
        self._public_key, self._secret = nacl.bindings.crypto_sign_seed_keypair(seed)
        require_public_key(self._public_key)
        self._key_id = statement.key_id(self._public_key)

    @property
    def public_key(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self._public_key

    @property
    def key_id(self) -> bytes:
        """The first 16 bytes of the public key's SHA-256."""
        return self._key_id

    @property
    def secret(self) -> bytes:
        """The secret key as libsodium takes it, 64 bytes; for our own signing process and nobody else."""
        return self._secret

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature of ``message``."""
        return sodium.sign(message, self._secret)


class FileWrappingKey:
    """Wraps data keys with AES-256 key wrap, RFC 3394 (ports.wrapping.WrappingKey)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def wrap(self, key: bytes) -> bytes:
        """Return the wrapped form of a 32-byte key, 40 bytes."""
        return aes_key_wrap(self._key, key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Return the key.

        Raises:
            AlteredError: ``wrapped`` was changed, or another key wrapped it.
        """
        try:
            return aes_key_unwrap(self._key, wrapped)
        except (InvalidUnwrap, ValueError) as error:
            raise AlteredError("wrapped data key does not open", hint="is this the key that wrapped it?") from error


def generate(
    path: Path,
    purpose: Purpose,
    passphrase: bytes,
    *,
    created: str,
    cost: Cost = COST_OF_HUMAN_PASSPHRASE,
    salt: bytes | None = None,
) -> bytes | None:
    """Make a new random key in a new file, durable on return; return the public key, None for a symmetric one.

    ``salt`` is that of files made together with this one under the same passphrase; a fresh one by default.

    Raises:
        ConfigurationError: the file exists, or the passphrase is empty.
        UnavailableError: the file cannot be written.
    """
    if not passphrase:
        raise ConfigurationError("the passphrase is empty", hint="give one, or let `sealgate init` make one")
    secret = os.urandom(envelope.SECRET_BYTES)
    public_key = FileSigner(secret).public_key if purpose.signs else None
    header = Header(purpose, created, public_key)
    randomness = (os.urandom(envelope.SALT_BYTES) if salt is None else salt) + os.urandom(envelope.NONCE_BYTES)
    data = envelope.seal(secret, header, passphrase, cost=cost, randomness=randomness)
    protected_files.create(path, data)
    return public_key


def header(path: Path) -> Header:
    """Return what a key file says without its passphrase; only for showing.

    Raises:
        ConfigurationError: missing, readable by others, or not a key file.
    """
    return envelope.read_header(protected_files.read(path))


def open_signer(path: Path, passphrase: bytes, purpose: Purpose) -> FileSigner:
    """Return the signer of a key file.

    Raises:
        ConfigurationError: missing, readable by others, wrong passphrase, changed, or of another purpose.
    """
    found, secret = _open(path, passphrase, purpose)
    signer = FileSigner(secret)
    if found.public_key is None or not hmac.compare_digest(found.public_key, signer.public_key):
        raise ConfigurationError(f"key file `{path}` names another public key than it holds")
    return signer


def open_wrapping_key(path: Path, passphrase: bytes, purpose: Purpose = Purpose.WRAPPING) -> FileWrappingKey:
    """Return the key-encryption key of a key file. Raises as ``open_signer``."""
    return FileWrappingKey(_open(path, passphrase, purpose)[1])


def open_permit_key(path: Path, passphrase: bytes) -> bytes:
    """Return the 32-byte key that authenticates permits. Raises as ``open_signer``."""
    return _open(path, passphrase, Purpose.PERMIT)[1]


def _open(path: Path, passphrase: bytes, purpose: Purpose) -> tuple[Header, bytes]:
    found, secret = envelope.unseal(protected_files.read(path), passphrase)
    if found.purpose is not purpose:
        raise ConfigurationError(f"key file `{path}` is a {found.purpose} key", hint=f"a {purpose} key is needed here")
    return found, secret
