"""Getting items to the collector: batch after batch, from this process's files and from those of processes that died.

A batch is noted in the epoch's cursor before it leaves and acknowledged there after the collector took it. So a batch
that is sent twice has the same id and the same items, and counts once; a file is deleted only after all its items were
acknowledged. Items that the collector will never take go to ``refused/``, sealed, for a person to look at.
"""

import contextlib
import pathlib
import time
from collections.abc import Callable
from typing import Final

import orjson

from sealgate.sdk import cursor as cursors
from sealgate.sdk import itemspool
from sealgate.sdk.answers import Answer
from sealgate.sdk.batches import Batch, Rejected, read_acknowledgement
from sealgate.sdk.cursor import Cursor
from sealgate.sdk.errors import RequestRefused
from sealgate.sdk.itemspool import ItemSpool
from sealgate.sdk.sealing import SpoolKey, load_key, write_sealed
from sealgate.sdk.streams import Stream
from sealgate.sdk.transport import Call

TRY_LATER: Final = frozenset({401, 403, 404, 405, 408, 425, 429})
"""Refusals of a whole batch that a repaired key, a right, a newer server or less load may cure."""

_CLOSE_AT_BYTES: Final = 256 * 1024
"""A drained file of this size is closed and deleted although it could still grow, in bytes."""

_ADOPT_EVERY_S: Final = 30.0
"""How often to look for files of processes that died, in seconds."""

Send = Callable[[Call], Answer]


class Shipment:
    """Ships what waits in one spool. One thread at a time; see ``shipper`` for the thread."""

    def __init__(self, spool: ItemSpool, send: Send) -> None:
        self._spool = spool
        self._send = send
        self._own: Stream | None = None
        self._adopted: list[Stream] = []
        self._looked_at = 0.0

    def ship(self, *, look: bool = False) -> int:
        """Send all that waits and return how many items were taken.

        Args:
            look: look for files of processes that died, although it was done lately.

        Raises:
            RequestRefused: the collector would not take a batch now.
            AuthorityUnreachable: it did not answer. What was taken until then stays so.
        """
        taken = 0
        if look or time.monotonic() - self._looked_at > _ADOPT_EVERY_S:
            self._adopt()
        for stream in list(self._adopted):
            taken += self._drain(stream, None)
            if stream.finished():
                stream.close()
                stream.cursor.remove()
                self._adopted.remove(stream)
        cursor = self._spool.cursor
        if cursor is not None:
            if self._own is None or self._own.cursor is not cursor:
                self._own = Stream(self._spool.folder, cursor, load_key(self._spool.parent))
            taken += self._drain(self._own, self._spool)
        return taken

    def _drain(self, stream: Stream, spool: ItemSpool | None) -> int:
        taken = 0
        try:
            while (batch := stream.batch(None if spool is None else spool.durable)) is not None:
                try:
                    rejected = read_acknowledgement(self._send(batch.call()), batch)
                except RequestRefused as error:
                    if error.status in TRY_LATER:
                        raise
                    if len(batch.items) > 1:
                        stream.narrow(batch.half())
                        continue
                    rejected = [Rejected(0, error.code, error.message)]
                self._refuse(batch, rejected)
                stream.acknowledge()
                taken += len(batch.items)
        finally:
            if spool is not None:
                spool.close_drained(min(_CLOSE_AT_BYTES, spool.max_bytes // 4))
            stream.settle(_nothing if spool is None else spool.active)
        return taken

    def _refuse(self, batch: Batch, rejected: list[Rejected]) -> None:
        """Keep refused items before they count as delivered."""
        if not rejected:
            return
        key = load_key(self._spool.parent)
        for entry in rejected:
            seq, item = batch.items[entry.position]
            name = f"{batch.epoch.hex()}-{seq:016d}.item"
            members = {"code": entry.code, "reason": entry.reason, "item": item.decode()}
            write_sealed(refused_folder(self._spool.folder) / name, orjson.dumps(members), key)

    def _adopt(self) -> None:
        self._looked_at = time.monotonic()
        folder = self._spool.folder
        if not folder.is_dir():
            return
        key = load_key(self._spool.parent)
        for path in sorted(folder.glob(f"*{cursors.SUFFIX}")):
            cursor = Cursor.adopt(path, key)
            if cursor is not None:
                self._adopted.append(Stream(folder, cursor, key))

    def release(self) -> None:
        """Delete this process's own files and its epoch if nothing of them is left to send."""
        self._spool.close_drained(0)
        if self._own is not None:
            self._own.settle(self._spool.active)
            if self._own.finished() and self._spool.end_epoch():
                self._own.close()
                self._own = None

    def close(self) -> None:
        """Give up what was adopted; another process may take it."""
        for stream in self._adopted:
            stream.close()
            stream.cursor.close()
        self._adopted.clear()
        if self._own is not None:
            self._own.close()
            self._own = None


def _nothing() -> None:
    """Of an epoch whose process is gone no file is being written."""


def refused_folder(folder: pathlib.Path) -> pathlib.Path:
    """Return the folder of refused items, made where it is missing."""
    aside = folder / "refused"
    aside.mkdir(mode=0o700, exist_ok=True)
    return aside


def read_refused(folder: pathlib.Path, key: SpoolKey) -> list[dict[str, str]]:
    """Return what was refused: ``code``, ``reason``, ``item`` (its text); a damaged file as its name alone."""
    found = []
    for path in sorted((folder / "refused").glob("*")):
        entry = {"code": "damaged", "reason": path.name, "item": ""}
        with contextlib.suppress(Exception):
            entry = orjson.loads(key.open(path.read_bytes(), path.name))
        found.append(entry)
    return found


def waiting_everywhere(parent: pathlib.Path) -> list[tuple[str, int, int]]:
    """Return (collector, waiting, refused) for every item spool below a spool folder."""
    found = []
    for marker in sorted((parent / "items").glob("*/target")):
        folder = marker.parent
        count = itemspool.waiting(folder, load_key(parent))
        found.append((marker.read_text(encoding="utf-8").rstrip("\n"), count, len(list(folder.glob("refused/*")))))
    return found
