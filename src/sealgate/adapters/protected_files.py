"""Files that only their owner may touch: read with mode and owner checked, written whole or not at all.

Trusted: whoever can write such a file as our user, or as root, can replace our keys.
Not trusted: everybody else; a file that they could have read or written is refused, never repaired.
"""

import os
import stat
from pathlib import Path
from typing import Final

from sealgate.adapters.durable import sync_directory
from sealgate.model.errors import ConfigurationError, UnavailableError

MAX_BYTES: Final = 1 << 20
"""No key, passphrase or key list is longer; a wrong path (a device, a log) is found at once."""

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_WRITE_OF_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


def read(path: Path) -> bytes:
    """Return the bytes of a private file.

    The checks are made on the opened file, so that it cannot be exchanged between check and use.

    Raises:
        ConfigurationError: it is missing, no regular file, too long, not ours, or open to others.
        UnavailableError: it cannot be read now.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise ConfigurationError(f"file `{path}` does not exist", hint="`sealgate init` creates it") from error
    except PermissionError as error:
        raise ConfigurationError(f"file `{path}` may not be read", hint="run as the user that owns it") from error
    except OSError as error:
        raise UnavailableError(f"file `{path}` cannot be opened: {error.strerror}") from error
    try:
        _check(path, os.fstat(descriptor))
        with os.fdopen(os.dup(descriptor), "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnavailableError(f"file `{path}` cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if len(data) > MAX_BYTES:
        raise ConfigurationError(f"file `{path}` is longer than {MAX_BYTES} bytes", hint="is it the right file?")
    return data


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigurationError(f"`{path}` is not a regular file")
    if status.st_uid not in (os.geteuid(), 0):
        raise ConfigurationError(f"file `{path}` belongs to user {status.st_uid}", hint=f"chown it to {os.geteuid()}")
    if status.st_mode & _OTHERS:
        mode = stat.S_IMODE(status.st_mode)
        raise ConfigurationError(f"file `{path}` has mode {mode:04o}, so others can reach it", hint="chmod 600 it")


def require_unwritable(path: Path) -> None:
    """Refuse a file or folder into which somebody besides its owner may write, or that belongs to a stranger.

    Raises:
        ConfigurationError: it is missing, belongs to neither us nor root, or others may write to it.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise ConfigurationError(f"`{path}` cannot be looked at: {error.strerror}") from error
    if status.st_uid not in (os.geteuid(), 0):
        raise ConfigurationError(f"`{path}` belongs to user {status.st_uid}", hint=f"chown it to {os.geteuid()}")
    if status.st_mode & _WRITE_OF_OTHERS:
        mode = stat.S_IMODE(status.st_mode)
        raise ConfigurationError(f"`{path}` has mode {mode:04o}, so others can change it", hint=f"chmod go-w {path}")


def create(path: Path, data: bytes) -> None:
    """Write a new private file (mode 0600), durable on return; never overwrites.

    A crash before the link leaves only a temporary file that nobody reads.

    Raises:
        ConfigurationError: the file exists.
        UnavailableError: it cannot be written.
    """
    temporary = _write_temporary(path, data)
    try:
        os.link(temporary, path)
    except FileExistsError as error:
        raise ConfigurationError(f"file `{path}` exists", hint="it is never overwritten; move it away first") from error
    except OSError as error:
        raise UnavailableError(f"file `{path}` cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def replace(path: Path, data: bytes) -> None:
    """Write a private file (mode 0600) in place of any old one, whole or not at all, durable on return.

    Raises:
        UnavailableError: it cannot be written; the old one stands.
    """
    temporary = _write_temporary(path, data)
    try:
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UnavailableError(f"file `{path}` cannot be written: {error.strerror}") from error
    sync_directory(path.parent)


def _write_temporary(path: Path, data: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UnavailableError(f"file `{path}` cannot be written: {error.strerror}") from error
    return temporary
