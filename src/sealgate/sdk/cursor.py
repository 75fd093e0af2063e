"""How far the items of one epoch were shipped: a small file beside them, and the lock on the epoch.

Two slots are written in turn, each ``generation u64 || next u64 || through u64 || MAC 16``, so a torn write leaves the
slot before it. ``next`` is the first sequence number that the collector has not acknowledged. ``through`` is the last
one of the batch that is under way (below ``next``: none is): it is durable before the batch leaves, so that a batch
that is sent again, even by another process, has the same items and the same id, and counts once.

The file stays locked (``flock``) as long as its process lives; who gets the lock of another epoch may ship its items.
"""

import contextlib
import fcntl
import hmac
import os
import pathlib
import struct
from typing import Final, Self

from sealgate.sdk.sealing import SpoolKey, sync_folder

_SLOT: Final = struct.Struct(">QqQ")
_SLOT_BYTES: Final = 64
_MAC_BYTES: Final = 16
SUFFIX: Final = ".cursor"


class Cursor:
    """An open and locked cursor. One thread at a time."""

    def __init__(self, path: pathlib.Path, descriptor: int, key: SpoolKey) -> None:
        self.path = path
        self.epoch = bytes.fromhex(path.name.removesuffix(SUFFIX))
        self._descriptor = descriptor
        self._secret = key.derive(b"cursor", self.epoch)
        self._generation, self.next, self.through = self._load()
        self._saved = self.next

    @classmethod
    def create(cls, folder: pathlib.Path, epoch: bytes, key: SpoolKey) -> Self:
        """Make the cursor of a new epoch and lock it."""
        path = folder / f"{epoch.hex()}{SUFFIX}"
        descriptor = _open(path, os.O_CREAT | os.O_EXCL)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        sync_folder(folder)
        return cls(path, descriptor, key)

    @classmethod
    def adopt(cls, path: pathlib.Path, key: SpoolKey) -> Self | None:
        """Lock the cursor of an epoch whose process is gone; None if it lives, or another one was quicker."""
        try:
            descriptor = _open(path, 0)
        except FileNotFoundError:
            return None
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:  # else its last owner removed it before we had the lock
                return cls(path, descriptor, key)
        os.close(descriptor)
        return None

    def _load(self) -> tuple[int, int, int]:
        found = (0, 0, -1)
        for number in (0, 1):
            slot = os.pread(self._descriptor, _SLOT_BYTES, number * _SLOT_BYTES)
            body, mac = slot[: _SLOT.size], slot[_SLOT.size : _SLOT.size + _MAC_BYTES]
            if len(body) == _SLOT.size and hmac.compare_digest(mac, self._mac(body)):
                generation, through, upcoming = _SLOT.unpack(body)
                found = max(found, (generation, upcoming, through))
        return found

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, "sha256")[:_MAC_BYTES]

    def plan(self, through: int) -> None:
        """Note durably that the batch from ``next`` to ``through`` is about to leave (and all before it arrived)."""
        self._write(self.next, through)

    def save(self) -> None:
        """Note durably what was acknowledged, if it is not yet; no batch is under way."""
        if self._saved != self.next or self.through >= self.next:
            self._write(self.next, self.next - 1)

    def _write(self, upcoming: int, through: int) -> None:
        self._generation += 1
        body = _SLOT.pack(self._generation, through, upcoming)
        slot = (body + self._mac(body)).ljust(_SLOT_BYTES, b"\0")
        os.pwrite(self._descriptor, slot, self._generation % 2 * _SLOT_BYTES)
        # If we die here, the other slot still says what was true before.
        os.fdatasync(self._descriptor)
        self.through, self._saved = through, upcoming

    def remove(self) -> None:
        """Forget the epoch: all its items were acknowledged and their files deleted."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Give up the lock."""
        os.close(self._descriptor)


def peek(path: pathlib.Path, key: SpoolKey) -> tuple[int, bool]:
    """Return the first sequence number that was not acknowledged, and whether the epoch's process lives."""
    descriptor = _open(path, 0)
    living = False
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            living = True
        return Cursor(path, descriptor, key).next, living
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _open(path: pathlib.Path, flags: int) -> int:
    return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
