"""A file that gets its name when it is whole: what a killed program leaves is never taken for it."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Self

from sealgate.model.errors import InputError

_NONE_WITHOUT_NAME: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})
"""What file systems and kernels answer that give no file without a name."""

_NO_SECOND_NAME: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})
"""What file systems answer whose files have one name each."""

_MODE: Final = 0o666
"""As any new file has it; the user's umask says what of it holds."""

_OPEN_FILES: Final = Path("/proc/self/fd")


@contextmanager
def new_file(destination: Path) -> Iterator[IO[bytes]]:
    """Yield a file to write. Where the block ends well it is synced and named; otherwise nothing is left of it.

    Killed in between it leaves nothing, or ``<destination>.part`` on a file system that gives no file without a name.

    Raises:
        InputError: there is a file of one of these names.
    """
    if os.path.lexists(destination):
        raise _taken(destination)
    folder = os.open(destination.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with _nameless(folder) or _Part(destination) as draft:
            yield draft.file
            draft.file.flush()
            os.fsync(draft.file.fileno())
            draft.name(destination, folder)
        os.fsync(folder)
    finally:
        os.close(folder)


class _Nameless:
    """A file in no folder."""

    def __init__(self, descriptor: int) -> None:
        self.file: IO[bytes] = os.fdopen(descriptor, "w+b")

    def __enter__(self) -> Self:
        return self

    def name(self, destination: Path, folder: int) -> None:
        """Give it its name, which nothing has yet."""
        _link(_OPEN_FILES / str(self.file.fileno()), destination, folder)

    def __exit__(self, *_: object) -> None:
        self.file.close()


class _Part(_Nameless):
    """A file that is named as a part."""

    def __init__(self, destination: Path) -> None:
        self._path = destination.with_name(f"{destination.name}.part")
        try:
            super().__init__(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE))
        except FileExistsError as error:
            hint = "another program writes it, or one was killed: then remove it"
            raise InputError(f"`{self._path}` exists", hint=hint) from error

    def name(self, destination: Path, folder: int) -> None:
        """Give it its name, which nothing has yet."""
        try:
            _link(self._path, destination, folder)
        except OSError as error:
            if error.errno not in _NO_SECOND_NAME:
                raise
            if os.path.lexists(destination):  # looked at again: a rename would replace it
                raise _taken(destination) from error
            self._path.rename(destination)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._path.unlink(missing_ok=True)


def _nameless(folder: int) -> _Nameless | None:
    """Return a file without a name, or None where there is none or it could not be named later."""
    if not _OPEN_FILES.is_dir():
        return None
    try:
        return _Nameless(os.open(".", os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, _MODE, dir_fd=folder))
    except OSError as error:
        if error.errno not in _NONE_WITHOUT_NAME:
            raise
        return None


def _link(source: Path, destination: Path, folder: int) -> None:
    try:
        # With the folder's number it is linkat(2), which follows the link of an open file to the file itself.
        os.link(source, destination.name, dst_dir_fd=folder)
    except FileExistsError as error:
        raise _taken(destination) from error


def _taken(destination: Path) -> InputError:
    return InputError(f"`{destination}` exists", hint="name another file")
