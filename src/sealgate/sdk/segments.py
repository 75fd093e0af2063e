"""The files in which items wait: encrypted frames, appended by one process, read by whoever ships them.

::

    header  "sgitems1" || key id 16 || epoch 16 || first seq u64 || salt 16            (64 bytes)
    frame   length u32 || AES-256-GCM(key of this file, nonce = 0^4 || seq u64, item, aad = header)

Each file has a key of its own (derived with its random salt) and each frame its own sequence number as nonce, so no
nonce is used twice: a sequence number is written into one file once, and after a failed write the file is given up.

A crash leaves a torn frame at the end. Nobody was told that its item is safe, so it is as if it had never been.
"""

import contextlib
import os
import pathlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, Self

from sealgate.model.limits import MAX_ITEM_BYTES
from sealgate.sdk.sealing import TAG_BYTES, Cipher, SpoolKey, sync_folder

_HEADER: Final = struct.Struct(">8s16s16sQ16s")
_LENGTH: Final = struct.Struct(">I")
_MAGIC: Final = b"sgitems1"
HEADER_BYTES: Final = _HEADER.size
FRAME_OVERHEAD_BYTES: Final = _LENGTH.size + TAG_BYTES
MAX_FRAME_BYTES: Final = MAX_ITEM_BYTES + TAG_BYTES
SUFFIX: Final = ".items"


class Damaged(Exception):  # noqa: N818  # a private signal: the shipper moves the file aside
    """A file is not what a crash of ours could leave: wrong key, altered bytes."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first bytes of a file."""

    key_id: bytes
    epoch: bytes
    first_seq: int
    salt: bytes

    def encode(self) -> bytes:
        """Return the 64 bytes."""
        return _HEADER.pack(_MAGIC, self.key_id, self.epoch, self.first_seq, self.salt)

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """Return the header, or None of a file that was torn while it was made.

        Raises:
            Damaged: it is whole and no header.
        """
        if len(data) < HEADER_BYTES:
            return None
        magic, *members = _HEADER.unpack(data)
        if magic != _MAGIC:
            raise Damaged("no header")
        return cls(*members)

    def cipher(self, key: SpoolKey) -> Cipher:
        """Return the cipher of this file's frames.

        Raises:
            Damaged: the file was written under another key.
        """
        if self.key_id != key.id:
            raise Damaged("another key")
        return key.cipher(b"items", self.encode())


def _nonce(seq: int) -> bytes:
    return seq.to_bytes(12, "big")


def name_of(epoch: bytes, first_seq: int) -> str:
    """Return a file's name; names of one epoch sort in the order of writing."""
    return f"{epoch.hex()}-{first_seq:016d}{SUFFIX}"


class SegmentWriter:
    """One new file. Not shared between threads without a lock; ``sync`` may run beside ``append``."""

    def __init__(self, folder: pathlib.Path, key: SpoolKey, epoch: bytes, first_seq: int) -> None:
        header = Header(key.id, epoch, first_seq, os.urandom(16))
        self.path = folder / name_of(epoch, first_seq)
        self.next_seq = first_seq
        self.synced = first_seq  # every sequence number below it is durable
        self.failed = False
        self.size = HEADER_BYTES
        self._aad = header.encode()
        self._cipher = header.cipher(key)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o600)
        try:
            _write_all(self._descriptor, self._aad)
            sync_folder(folder)
        except BaseException:
            self.close()
            self.path.unlink(missing_ok=True)
            raise

    def append(self, item: bytes) -> None:
        """Write one frame; durable only after ``sync``. After an OSError this file must not be appended to again."""
        sealed = self._cipher.encrypt(_nonce(self.next_seq), item, self._aad)
        _write_all(self._descriptor, _LENGTH.pack(len(sealed)) + sealed)
        # If we die here, the frame may be whole, torn or absent; nobody was told yet.
        self.next_seq += 1
        self.size += _LENGTH.size + len(sealed)

    def sync(self) -> None:
        """Make all that was appended until now durable."""
        through = self.next_seq
        os.fdatasync(self._descriptor)
        self.synced = max(self.synced, through)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


class SegmentReader:
    """Reads one file from its start, frame by frame, also while it grows."""

    def __init__(self, path: pathlib.Path, key: SpoolKey) -> None:
        self.path = path
        self._key = key
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._offset = 0
        self._head = b""
        self._cipher: Cipher | None = None
        self._seq = 0

    def next(self) -> tuple[int, bytes] | None:
        """Return (seq, item) of the next whole frame, or None while there is none.

        Raises:
            Damaged: a frame is whole and cannot be opened, or is none. What came before it is good.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  # see sealing

        if self._cipher is None and not self._read_header():
            return None
        assert self._cipher is not None  # noqa: S101  # for the type checker
        prefix = os.pread(self._descriptor, _LENGTH.size, self._offset)
        if len(prefix) < _LENGTH.size:
            return None
        length = _length(prefix)
        sealed = os.pread(self._descriptor, length, self._offset + _LENGTH.size)
        if len(sealed) < length:
            return None
        try:
            item = self._cipher.decrypt(_nonce(self._seq), sealed, self._head)
        except InvalidTag as error:
            raise Damaged(f"frame {self._seq}") from error
        self._offset += _LENGTH.size + length
        self._seq += 1
        return self._seq - 1, item

    def _read_header(self) -> bool:
        self._head = os.pread(self._descriptor, HEADER_BYTES, 0)
        header = Header.decode(self._head)
        if header is None:
            return False
        self._cipher = header.cipher(self._key)
        self._seq = header.first_seq
        self._offset = HEADER_BYTES
        return True

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _length(prefix: bytes) -> int:
    length: int = _LENGTH.unpack(prefix)[0]
    if not TAG_BYTES < length <= MAX_FRAME_BYTES:
        raise Damaged("no frame")
    return length


def _frames(file: BinaryIO) -> Iterator[bytes]:
    while True:
        prefix = file.read(_LENGTH.size)
        if len(prefix) < _LENGTH.size:
            return
        length = _length(prefix)
        sealed = file.read(length)
        if len(sealed) < length:
            return  # torn: it was being written when its process died
        yield sealed


def count(path: pathlib.Path, from_seq: int) -> int:
    """Return how many whole frames from ``from_seq`` on a file has, by their lengths alone."""
    with path.open("rb") as file:
        frames = 0
        first_seq = 0
        with contextlib.suppress(Damaged):
            header = Header.decode(file.read(HEADER_BYTES))
            if header is None:
                return 0
            first_seq = header.first_seq
            for _ in _frames(file):
                frames += 1
        return max(0, first_seq + frames - max(first_seq, from_seq))
