"""Where outcomes wait that the authority has not taken yet: one small file each, in a folder of ours.

A report is written to a temporary name, synced, renamed to its final name, and the folder is synced. So a crash leaves
either the whole report or none: temporary names are never sent. File names sort in the order of writing. A report is
removed only after the authority has taken it, so a crash in between sends it twice with the same request id, which
counts once.

Several processes may share a folder: each writes its own files, and only the holder of the folder's lock sends.

Trust: whoever can write here can claim outcomes in this user's name, so the folder is 0700 and ours, or it is refused.
Each report is encrypted under the spool's key and its own name (see ``sealing``).
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from sealgate.model.errors import ConfigurationError, UnavailableError
from sealgate.sdk.errors import SpoolFull
from sealgate.sdk.itemspool import write_target
from sealgate.sdk.sealing import Broken, SpoolKey, load_key, require_private, sync_folder, write_sealed
from sealgate.sdk.transport import Call

MAX_REPORTS: Final = 10_000
"""Waiting reports per authority; at ten actions a second that is a quarter of an hour without it."""

MAX_REPORT_BYTES: Final = 64 * 1024
"""One report, in bytes; twice what a record may hold."""

_STALE_TEMPORARY_S: Final = 3600
"""A temporary file older than this belongs to a process that died."""

_SUFFIX: Final = ".report"
_PATHS: Final = frozenset({"/v1/outcomes", "/v1/records"})


@dataclass(frozen=True, slots=True)
class Waiting:
    """One report that waits."""

    path: pathlib.Path
    call: Call


class Spool:
    """The waiting reports for one authority.

    Args:
        folder: holds the spools of all authorities.
        target: names this one; what waits for one is never sent to another.
        max_reports: beyond this ``append`` refuses.
    """

    def __init__(self, folder: pathlib.Path, target: str, *, max_reports: int = MAX_REPORTS) -> None:
        self._parent = folder
        self.folder = folder / hashlib.sha256(target.encode()).hexdigest()[:16]
        self.target = target
        self._max_reports = max_reports
        self._last_ns = 0

    def append(self, call: Call) -> None:
        """Make one report durable before returning.

        Raises:
            SpoolFull: too many wait already.
            UnavailableError: the disk refused.
            ConfigurationError: the folder is not ours alone.
        """
        if not call.repeatable or call.path not in _PATHS:
            raise ConfigurationError(f"a request to `{call.path}` must not be sent later")
        data = orjson.dumps({"path": call.path, "request_id": call.request_id, "body": call.body.decode()})
        if len(data) > MAX_REPORT_BYTES:
            raise UnavailableError(f"a report of {len(data)} bytes is too large", hint=f"at most {MAX_REPORT_BYTES}")
        self.require_room()
        self.prepare()
        try:
            self._write(data, call.request_id or "", load_key(self._parent))
        except OSError as error:
            raise self._unwritable(error) from error

    def _write(self, data: bytes, request_id: str, key: SpoolKey) -> None:
        # Two processes may get the same time; the request id keeps their names apart.
        self._last_ns = max(self._last_ns + 1, time.time_ns())
        write_sealed(self.folder / f"{self._last_ns:020d}-{request_id}{_SUFFIX}", data, key)

    def prepare(self) -> None:
        """Create the folder where it is missing and make sure that it is ours alone.

        Raises:
            UnavailableError: it cannot be created.
            ConfigurationError: others could write here.
        """
        try:
            if not self.folder.is_dir():
                for folder in (self._parent, self.folder):
                    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_target(self.folder / "target", self.target)
                sync_folder(self._parent)
            require_private(self._parent)
            require_private(self.folder)
            load_key(self._parent)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UnavailableError:
        return UnavailableError(f"the spool `{self.folder}` cannot be written: {error.strerror or error}")

    def count(self) -> int:
        """Return how many reports wait, refused ones not included."""
        return len(self._names())

    def require_room(self) -> None:
        """Raise SpoolFull when no further report would fit: better to run nothing than to run it unreported."""
        count = self.count()
        if count >= self._max_reports:
            raise SpoolFull(
                f"{count} outcomes wait for the authority in `{self.folder}`",
                hint="start the authority, then `sealgate spool flush`",
            )

    def _names(self) -> list[str]:
        try:
            names = [entry.name for entry in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UnavailableError(f"the spool `{self.folder}` cannot be read: {error.strerror or error}") from error
        return sorted(name for name in names if name.endswith(_SUFFIX) and not name.startswith("."))

    def waiting(self) -> Iterator[Waiting]:
        """Yield the waiting reports in the order of writing. What cannot be read is moved aside, never sent."""
        names = self._names()
        key = load_key(self._parent) if names else None
        for name in names:
            path = self.folder / name
            try:
                call = _read(path.read_bytes(), name, key)
            except FileNotFoundError:  # another process sent it
                continue
            except (Broken, KeyError, TypeError, AttributeError, ValueError):
                self.refuse(path)
                continue
            yield Waiting(path, call)

    def remove(self, path: pathlib.Path) -> None:
        """Forget a report that the authority has taken. If we die before, it is sent again and counts once."""
        path.unlink(missing_ok=True)

    def refuse(self, path: pathlib.Path) -> None:
        """Move a report that the authority will never take to ``refused/``, for a person to look at."""
        aside = self.folder / "refused"
        aside.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            path.rename(aside / path.name)

    def refused(self) -> int:
        """Return how many reports the authority has refused."""
        aside = self.folder / "refused"
        return len(list(aside.iterdir())) if aside.is_dir() else 0

    @contextlib.contextmanager
    def sending(self) -> Iterator[bool]:
        """Yield True to the only sender; False when another thread or process sends already."""
        if not self.folder.is_dir():
            yield False
            return
        descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            self._sweep()
            yield True
        finally:
            os.close(descriptor)

    def _sweep(self) -> None:
        for left_over in self.folder.glob(".*.tmp"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - left_over.stat().st_mtime > _STALE_TEMPORARY_S:
                    left_over.unlink()


def spools(folder: pathlib.Path) -> list[tuple[str, int, int]]:
    """Return (authority, waiting, refused) for every spool below ``folder``."""
    found = []
    for marker in sorted(folder.glob("*/target")):
        target = marker.read_text(encoding="utf-8").rstrip("\n")
        spool = Spool(folder, target)
        found.append((target, spool.count(), spool.refused()))
    return found


def _read(data: bytes, name: str, key: SpoolKey | None) -> Call:
    if key is None:
        raise Broken
    members = orjson.loads(key.open(data, name))
    call = Call("POST", members["path"], members["body"].encode(), members["request_id"], repeatable=True)
    if call.path not in _PATHS or name.partition("-")[2] != f"{call.request_id}{_SUFFIX}":
        raise ValueError(name)
    return call
