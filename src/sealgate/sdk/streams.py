"""The items of one epoch in the order of writing, cut into batches that stay the same however often they are sent."""

import pathlib
from collections.abc import Callable

from sealgate.sdk import segments
from sealgate.sdk.batches import Batch, fits
from sealgate.sdk.cursor import Cursor
from sealgate.sdk.sealing import SpoolKey, sync_folder
from sealgate.sdk.segments import Damaged, SegmentReader


class Stream:
    """What one epoch still has to ship. One thread at a time."""

    def __init__(self, folder: pathlib.Path, cursor: Cursor, key: SpoolKey) -> None:
        self.cursor = cursor
        self._folder = folder
        self._key = key
        self._reader: SegmentReader | None = None
        self._ahead: tuple[int, bytes] | None = None
        self._batch: Batch | None = None

    def batch(self, durable: int | None) -> Batch | None:
        """Return the batch to send now, noted durably: the one that is under way, else the next; None without items.

        Args:
            durable: the first sequence number that must not leave yet; None where all may.
        """
        if self._batch is not None:
            return self._batch
        items: list[tuple[int, bytes]] = []
        if self.cursor.through >= self.cursor.next:
            items = self._take(self.cursor.through + 1)
        items = items or self._take(durable)
        if not items:
            return None
        self._batch = Batch(self.cursor.epoch, tuple(items))
        if self._batch.last != self.cursor.through:
            self.cursor.plan(self._batch.last)
        return self._batch

    def narrow(self, batch: Batch) -> None:
        """Send ``batch``, the first part of the present one, instead; the rest is read again."""
        self.cursor.plan(batch.last)
        self._batch = batch
        self._rewind()

    def _rewind(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = None
        self._ahead = None

    def acknowledge(self) -> None:
        """Go on behind the present batch. It is durable with the next plan, or with ``settle``."""
        if self._batch is not None:
            self.cursor.next = self._batch.last + 1
            self._batch = None

    def settle(self, active: Callable[[], pathlib.Path | None]) -> None:
        """Note durably what was acknowledged, then delete the files of which nothing is left to send.

        Args:
            active: returns the file that is being written now; that one stays.
        """
        if self._batch is not None:
            return
        self.cursor.save()
        # If we die from here on, the files below the cursor are deleted by whoever comes next.
        for path in self._done(active):
            if self._reader is not None and self._reader.path == path:
                self._rewind()
            path.unlink(missing_ok=True)

    def _done(self, active: Callable[[], pathlib.Path | None]) -> list[pathlib.Path]:
        files = self.files()
        growing = active()  # asked after the look at the folder: a file that was begun since is not in the list
        ends = [_first_seq(path) for path in files[1:]] + [None]
        return [
            path
            for path, end in zip(files, ends, strict=False)
            if path != growing
            and (end <= self.cursor.next if end is not None else not segments.count(path, self.cursor.next))
        ]

    def finished(self) -> bool:
        """Tell whether no file is left."""
        return self._batch is None and not self.files()

    def close(self) -> None:
        """Close the file that is being read."""
        self._rewind()

    def files(self) -> list[pathlib.Path]:
        """Return the epoch's files in the order of writing."""
        return sorted(self._folder.glob(f"{self.cursor.epoch.hex()}-*{segments.SUFFIX}"))

    def _take(self, end: int | None) -> list[tuple[int, bytes]]:
        items: list[tuple[int, bytes]] = []
        size = 0
        while True:
            upcoming = self._ahead or self._next()
            self._ahead = upcoming
            if upcoming is None or (end is not None and upcoming[0] >= end):
                return items
            size += len(upcoming[1])
            if not fits(len(items) + 1, size):
                return items
            items.append(upcoming)
            self._ahead = None

    def _next(self) -> tuple[int, bytes] | None:
        while True:
            if self._reader is None and not self._open_behind(None):
                return None
            assert self._reader is not None  # noqa: S101  # for the type checker
            try:
                found = self._reader.next()
            except Damaged:
                self._set_aside(self._reader.path)
                continue
            if found is None and self._has_grown_no_more():
                found = self._reader.next()  # what was written between our look at the file and at the folder
                if found is None:
                    self._open_behind(self._reader.path)
                    continue
            if found is None:
                return None
            if found[0] >= self.cursor.next:
                return found

    def _has_grown_no_more(self) -> bool:
        """Tell whether there is a later file: it exists only after the one before it was closed."""
        files = self.files()
        return self._reader is not None and bool(files) and files[-1].name > self._reader.path.name

    def _open_behind(self, path: pathlib.Path | None) -> bool:
        """Open the file after ``path``, or the first; False if there is none."""
        later = [other for other in self.files() if path is None or other.name > path.name]
        if not later:
            return False
        if self._reader is not None:
            self._reader.close()
        self._reader = SegmentReader(later[0], self._key)
        return True

    def _set_aside(self, path: pathlib.Path) -> None:
        """Move a damaged file to ``refused/``: what could be read of it is sent, the rest is for a person."""
        aside = self._folder / "refused"
        aside.mkdir(mode=0o700, exist_ok=True)
        path.rename(aside / f"{path.name}.damaged")
        sync_folder(aside)
        sync_folder(self._folder)
        self._rewind()


def _first_seq(path: pathlib.Path) -> int:
    return int(path.name.removesuffix(segments.SUFFIX).partition("-")[2])
