"""Making files durable on POSIX: content first, then the name, then the directory that holds the name."""

import errno
import os
from pathlib import Path


def write_all(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of ``data`` at ``offset``; a short write is continued, a write of nothing is an error."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        if written == 0:
            raise OSError(errno.EIO, "write made no progress")
        offset += written
        view = view[written:]


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def forget_cached(descriptor: int, start: int = 0) -> None:
    """Drop clean cached pages from ``start`` on, so that the next read asks the disk.

    After a failed sync the kernel keeps pages as clean that never reached the disk; reading those would take a lost
    record for a durable one. A file system without such a cache ignores the advice.
    """
    os.posix_fadvise(descriptor, start, 0, os.POSIX_FADV_DONTNEED)


def create_synced(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Create or replace ``path`` with ``data``, durable in content and, after the caller synced the directory, in name.

    A crash leaves the old file or the new one, never a part; a leftover ``.new`` file means nothing.
    """
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        write_all(descriptor, data, 0)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(temporary, path)  # noqa: PTH104 - the system call is the point here
