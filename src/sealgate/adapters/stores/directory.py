"""The public log and the staging area as plain directories.

A file is written under another name and renamed: readers see it whole or not at all. ``create`` does not sync; the
names are remembered and ``settle`` syncs those that are still there, which spares every partial tile that a wider one
replaced meanwhile.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NoReturn

from sealgate.adapters.durable import create_synced, sync_directory, write_all
from sealgate.model.errors import ForkError, UnavailableError

_FILE_MODE: Final = 0o644
_NEW: Final = ".new"


class DirectoryLog:
    """A ``ports.public_log.PublicLog`` in a directory. Made for everyone to read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._unsettled: dict[str, dict[str, None]] = {}  # by directory, so that forgetting one costs nothing
        self._known: set[Path] = set()

    @property
    def root(self) -> Path:
        """The directory."""
        return self._root

    def read(self, path: str) -> bytes | None:
        """Return the file's bytes, or None."""
        try:
            return (self._root / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            _unavailable(path, error)

    def create(self, path: str, data: bytes) -> None:
        """Write a file that never changes; readable at once, durable after ``settle``."""
        found = self.read(path)
        if found is None:
            self._write(path, data)
        elif found != data:
            raise ForkError(
                f"public file `{path}` exists with other content",
                hint="nothing was overwritten; keep a copy of the directory and compare it with your witnesses",
            )

    def restore(self, path: str, data: bytes) -> None:
        """Make the file hold ``data``, whatever a crash or a failed sync left of it.

        Always written anew: after a failed sync, reading the old file would ask the page cache, which lies.
        """
        self._write(path, data)

    def _write(self, path: str, data: bytes) -> None:
        target = self._root / path
        temporary = f"{target}{_NEW}"
        try:
            if target.parent not in self._known:
                target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                self._known.add(target.parent)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _FILE_MODE)
            try:
                write_all(descriptor, data, 0)
            finally:
                os.close(descriptor)
            os.rename(temporary, target)  # noqa: PTH104
        except OSError as error:
            self._known.discard(target.parent)
            _unavailable(path, error)
        self._unsettled.setdefault(os.path.dirname(path), {})[path] = None  # noqa: PTH120 - once for every file

    def replace(self, path: str, data: bytes) -> None:
        """Replace a file that changes, atomically and durably."""
        try:
            (self._root / path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            create_synced(self._root / path, data, mode=_FILE_MODE)
            sync_directory((self._root / path).parent)
        except OSError as error:
            _unavailable(path, error)

    def remove_partials(self, full_path: str) -> None:
        """Remove ``<full_path>.p``."""
        folder = f"{full_path}.p"
        self._unsettled.pop(folder, None)
        self._known.discard(self._root / folder)
        try:
            shutil.rmtree(self._root / folder)
        except FileNotFoundError:
            return
        except OSError as error:
            _unavailable(folder, error)

    def remove(self, path: str) -> None:
        """Remove a file, durably."""
        target = self._root / path
        try:
            target.unlink()
            sync_directory(target.parent)
        except FileNotFoundError:
            return
        except OSError as error:
            _unavailable(path, error)
        self._unsettled.get(os.path.dirname(path), {}).pop(path, None)  # noqa: PTH120 - as above

    def settle(self) -> int:
        """Sync every file written since the last call, then the directories that name them."""
        directories: dict[Path, None] = {}
        count = 0
        if not self._unsettled:
            return count
        try:
            for name, paths in self._unsettled.items():
                for path in paths:
                    _sync_file(self._root / path)
                    count += 1
                folder = self._root / name
                while folder != self._root and folder not in directories:  # a new directory's name must last as well
                    directories[folder] = None
                    folder = folder.parent
            directories[self._root] = None
            for folder in directories:
                sync_directory(folder)
        except OSError as error:
            _unavailable("public files", error)
        self._unsettled.clear()
        return count


class DirectoryStaging:
    """A ``ports.public_log.Staging`` in a private directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, name: str, data: bytes) -> None:
        """Store durably."""
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            create_synced(self._root / name, data)
            sync_directory(self._root)
        except OSError as error:
            _unavailable(name, error)

    def names(self) -> list[str]:
        """Return the names of whole files."""
        try:
            return sorted(path.name for path in self._root.iterdir() if not path.name.endswith(_NEW))
        except FileNotFoundError:
            return []
        except OSError as error:
            _unavailable(str(self._root), error)

    def get(self, name: str) -> bytes:
        """Return one file's bytes."""
        try:
            return (self._root / name).read_bytes()
        except OSError as error:
            _unavailable(name, error)

    def drop(self, names: Iterable[str]) -> None:
        """Remove, without a sync."""
        for name in names:
            try:
                (self._root / name).unlink(missing_ok=True)
            except OSError as error:
                _unavailable(name, error)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _unavailable(path: str, error: OSError) -> NoReturn:
    raise UnavailableError(
        f"`{path}` cannot be stored or read: {error.strerror}", hint="check the disk and the directory's permissions"
    ) from error
