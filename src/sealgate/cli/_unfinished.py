"""A directory that says it is not finished until it is: many files cannot appear at once, as one can.

What a killed program leaves in it is cleared by the next one that fills it.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sealgate.adapters.durable import sync_directory, write_all
from sealgate.model.errors import ConfigurationError

MARKER: Final = "UNFINISHED"
"""The file that says it."""

_TEXT: Final = b"""\
What is here is not finished: it is being written, or the program that wrote it was ended before its time.
Then run the same command again, which clears it and starts anew, or remove this directory.
"""


@contextmanager
def unfinished(folder: Path, patterns: Sequence[str], *, mode: int) -> Iterator[None]:
    """Make ``folder``, and mark it while the block fills it; the block names nothing but what fits the patterns.

    What fits them goes where the block fails, and where it is left by a program that was killed.

    Raises:
        ConfigurationError: there is something else in it, or another program fills it.
    """
    made = not folder.exists()
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    marker = _mark(folder, patterns)
    try:
        yield
        _unmark(folder)
    except BaseException:
        _clear(folder, patterns)
        _unmark(folder)
        if made:
            with suppress(OSError):  # somebody put something of their own into it
                folder.rmdir()
        raise
    finally:
        os.close(marker)


def _mark(folder: Path, patterns: Sequence[str]) -> int:
    """Return the marker, open and locked, in a directory that holds nothing else."""
    path = folder / MARKER
    try:
        found = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        _require_empty(folder)
        marker = _locked(_make(path), path)
    else:
        marker = _locked(found, path)
        _clear(folder, patterns)
    try:
        _require_empty(folder)
    except ConfigurationError:
        _unmark(folder)
        os.close(marker)
        raise
    return marker


def _locked(marker: int, path: Path) -> int:
    """Lock the marker, which must still be the one in the directory: another program may have finished meanwhile."""
    try:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        current = os.path.samestat(os.fstat(marker), path.stat())
    except (BlockingIOError, FileNotFoundError):
        current = False
    if not current:
        os.close(marker)
        raise _in_use(path.parent)
    return marker


def _make(path: Path) -> int:
    try:
        marker = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise _in_use(path.parent) from None
    write_all(marker, _TEXT, 0)
    os.fsync(marker)
    sync_directory(path.parent)  # no power failure leaves what it speaks of without it
    return marker


def _clear(folder: Path, patterns: Sequence[str]) -> None:
    for path in [path for pattern in patterns for path in folder.glob(pattern)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _unmark(folder: Path) -> None:
    sync_directory(folder)
    (folder / MARKER).unlink(missing_ok=True)
    sync_directory(folder)


def _require_empty(folder: Path) -> None:
    if any(path.name != MARKER for path in folder.iterdir()):
        raise ConfigurationError(f"`{folder}` is not empty", hint="name a new directory")


def _in_use(folder: Path) -> ConfigurationError:
    return ConfigurationError(f"another program writes into `{folder}`", hint="wait until it is done")
