"""Files in memory without a name: they are on no disk and in no folder, and end with their process, however it ends."""

import contextlib
import errno
import hashlib
import io
import os
from typing import TYPE_CHECKING, Final

from sealgate.model.errors import NotPermittedError, UnavailableError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_CHUNK: Final = 1 << 20
_NOEXEC_SEAL: Final = 8
"""Of memfd_create(2), since Linux 6.3: a host with ``vm.memfd_noexec = 2`` gives no file without it."""


class UnnamedFile(io.BufferedRandom):
    """A file of at most ``most`` bytes. Closing it throws it away, and ends in its next write whoever still writes.

    Any thread may close it: writing and closing wait for each other, so nothing is written to a number that is free.

    Raises:
        UnavailableError: the kernel gives none.
    """

    def __init__(self, most: int) -> None:
        try:
            descriptor = _descriptor()
        except OSError as error:
            raise UnavailableError(f"there is no memory for a file: {error.strerror}") from error
        super().__init__(io.FileIO(descriptor, "r+"))
        self._most = most

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write all of it or nothing.

        Raises:
            NotPermittedError: it would be too long.
        """
        if self.tell() + memoryview(data).nbytes > self._most:
            hint = "narrow the time, or export agent by agent"
            raise NotPermittedError(f"the export has more than {self._most} bytes", code="export-too-large", hint=hint)
        return super().write(data)

    def finish(self) -> tuple[int, str]:
        """Return length and SHA-256 of what was written."""
        self.seek(0)
        digest, size = hashlib.sha256(), 0
        while piece := self.read(_CHUNK):
            digest.update(piece)
            size += len(piece)
        return size, digest.hexdigest()

    def read_at(self, start: int, size: int) -> bytes:
        """Return at most ``size`` bytes of what is finished, none at its end."""
        return os.pread(self.fileno(), size, start)

    def close(self) -> None:
        """Throw it away."""
        with contextlib.suppress(OSError):  # what could not be written any more goes as well
            super().close()


def _descriptor() -> int:
    try:
        return os.memfd_create("sealgate-export", os.MFD_CLOEXEC | _NOEXEC_SEAL)
    except OSError as error:
        if error.errno != errno.EINVAL:  # what a kernel says that does not know the flag
            raise
        return os.memfd_create("sealgate-export", os.MFD_CLOEXEC)
