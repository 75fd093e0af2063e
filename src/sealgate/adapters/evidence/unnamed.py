"""A new file that has no name until it is whole: a crash leaves nothing of it in any folder."""

import contextlib
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from sealgate.adapters.durable import sync_directory
from sealgate.model.errors import InputError, UnavailableError

_CHUNK: Final = 1 << 20


class UnnamedFile:
    """A file of mode 0600 in the folder of ``destination``; ``link`` gives it that name, durable."""

    def __init__(self, destination: Path) -> None:
        self.destination = destination
        try:
            descriptor = os.open(destination.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            raise InputError(f"there is no folder `{destination.parent}`") from None
        except OSError as error:
            raise UnavailableError(f"`{destination.parent}` takes no new file: {error.strerror}") from error
        self.file: IO[bytes] = io.BufferedRandom(io.FileIO(descriptor, "r+"))

    def link(self) -> tuple[int, str]:
        """Give the file its name; return its length and SHA-256.

        Raises:
            InputError: a file of that name exists; it is never overwritten.
            UnavailableError: it cannot be written.
        """
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            size, digest = self._digest()
            folder = os.open(self.destination.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                # With a folder's descriptor Python asks for the file behind the link, without one for the link.
                os.link(f"/proc/self/fd/{self.file.fileno()}", self.destination.name, dst_dir_fd=folder)
            finally:
                os.close(folder)
            sync_directory(self.destination.parent)
        except FileExistsError:
            raise InputError(f"`{self.destination}` exists", hint="name a new file") from None
        except OSError as error:
            raise UnavailableError(f"`{self.destination}` cannot be written: {error.strerror}") from error
        return size, digest

    def _digest(self) -> tuple[int, str]:
        self.file.seek(0)
        digest, size = hashlib.sha256(), 0
        while part := self.file.read(_CHUNK):
            digest.update(part)
            size += len(part)
        return size, digest.hexdigest()


@contextlib.contextmanager
def unnamed(destination: Path) -> Iterator[UnnamedFile]:
    """Open a file that is gone at the end unless it was linked."""
    if destination.exists():
        raise InputError(f"`{destination}` exists", hint="name a new file")
    made = UnnamedFile(destination)
    try:
        yield made
    except OSError as error:
        raise UnavailableError(f"`{destination}` cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            made.file.close()
