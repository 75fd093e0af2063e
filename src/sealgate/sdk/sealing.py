"""Nothing of the agent's lies readable on disk: AES-256-GCM under a key of the spool folder.

The key is 32 random bytes in the file ``key`` (0600) of the folder, made once. It keeps copies, backups and images of
the spooled files unreadable to whoever does not have that file too; ``SEALGATE_SPOOL_KEY`` puts it elsewhere. Every
use has a key of its own, derived from it.

``cryptography`` is imported when the first thing is sealed, and nowhere else in the client.
"""

import contextlib
import hashlib
import hmac
import os
import pathlib
import stat
import threading
from typing import Final, Protocol

from sealgate.model.errors import ConfigurationError, UnavailableError

KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 16
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
_MAGIC: Final = b"sgseal1\n"
OVERHEAD_BYTES: Final = len(_MAGIC) + KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES
"""What sealing adds to a small file, in bytes."""


class Broken(Exception):  # noqa: N818  # a private signal: its callers move the file aside
    """Sealed bytes cannot be opened: another key, another name, or they were altered."""


class Cipher(Protocol):
    """AES-256-GCM as ``cryptography`` offers it."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Return ciphertext and tag."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """Return the plaintext."""


class SpoolKey:
    """The key of one spool folder."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.id = self.derive(b"id", b"")[:KEY_ID_BYTES]

    def derive(self, use: bytes, context: bytes) -> bytes:
        """Return the 32 bytes of one use: HMAC-SHA256(key, use || 0 || context)."""
        return hmac.new(self._secret, use + b"\0" + context, hashlib.sha256).digest()

    def cipher(self, use: bytes, context: bytes) -> Cipher:
        """Return AES-256-GCM under the key of one use."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  # 20 ms that a reader need not pay

        return AESGCM(self.derive(use, context))

    def seal(self, data: bytes, name: str) -> bytes:
        """Return the sealed form of a small file; it opens only under the same ``name``."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self.cipher(b"file", b"").encrypt(nonce, data, name.encode())
        return _MAGIC + self.id + nonce + sealed

    def open(self, sealed: bytes, name: str) -> bytes:
        """Return what was sealed.

        Raises:
            Broken: it was not sealed by this key under this name, or it was altered.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  # as above

        start = len(_MAGIC) + KEY_ID_BYTES
        if sealed[:start] != _MAGIC + self.id or len(sealed) < OVERHEAD_BYTES:
            raise Broken
        nonce, rest = sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]
        try:
            return self.cipher(b"file", b"").decrypt(nonce, rest, name.encode())
        except InvalidTag as error:
            raise Broken from error


def key_path(folder: pathlib.Path) -> pathlib.Path:
    """Return where the key of a spool folder is: ``SEALGATE_SPOOL_KEY``, else the file ``key`` in it."""
    given = os.environ.get("SEALGATE_SPOOL_KEY")
    return pathlib.Path(given) if given else folder / "key"


def load_key(folder: pathlib.Path) -> SpoolKey:
    """Return the folder's key and make it if there is none. The folder exists and is ours alone.

    Raises:
        ConfigurationError: the key file is not ours alone, or not a key.
        UnavailableError: it cannot be read or made.
    """
    path = key_path(folder)
    try:
        try:
            return SpoolKey(_read(path))
        except FileNotFoundError:
            make_key(path)
            return SpoolKey(_read(path))
    except OSError as error:
        raise UnavailableError(f"the spool's key `{path}` cannot be used: {error.strerror or error}") from error


def _read(path: pathlib.Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
            raise ConfigurationError(f"the spool's key `{path}` is open to others", hint="chmod 600, own it")
        secret = file.read(KEY_BYTES + 1)
    if len(secret) != KEY_BYTES:
        raise ConfigurationError(
            f"the spool's key `{path}` is not {KEY_BYTES} bytes", hint="restore it, or move it and the spool away"
        )
    return secret


def make_key(path: pathlib.Path) -> None:
    """Make a key file, whole and durable; if another process was quicker, its key stays.

    A crash leaves no key or a whole one: the name appears by ``link`` after the bytes are on disk.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
            file.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_sealed(path: pathlib.Path, data: bytes, key: SpoolKey) -> None:
    """Write a small file, sealed under its name, whole and durable before returning; it replaces one of that name."""
    temporary = path.with_name(f".{path.name}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.seal(data, path.name))
        file.flush()
        os.fsync(descriptor)
    # If we die here, a temporary file is left over; nobody was told that its content is safe.
    temporary.rename(path)
    # If we die here, the file may or may not be there; nobody was told yet.
    sync_folder(path.parent)


def sync_folder(folder: pathlib.Path) -> None:
    """Make names of a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_private(folder: pathlib.Path) -> None:
    """Refuse a folder that is not this user's alone.

    Raises:
        ConfigurationError: it is not.
    """
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
        raise ConfigurationError(
            f"spool folder `{folder}` is not private to this user", hint="chmod 700, own it, no link"
        )
