"""Reads archived segments: records in order, labels without opening anything. From any thread."""

import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from sealgate.adapters.journals import archive
from sealgate.adapters.journals.archive import FRAME, HEADER_BYTES, MAX_BLOCK_BYTES, Block
from sealgate.model.errors import AlteredError, EncodingError
from sealgate.ports.archiving import Label, Wanted
from sealgate.ports.journal import JournalRecord

_HEAD_BYTES: Final = FRAME.size + archive.HEAD.size


class ArchiveFile:
    """One archived segment, open. Its content never changes; a later generation is another file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        header = archive.decode_header(os.pread(self._descriptor, HEADER_BYTES, 0))
        if header is None:
            self.close()
            raise AlteredError(f"the header of journal archive `{path.name}` was altered")
        self.header = header
        self.first = header.header.first_index
        self.stop = self.first + header.records

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Yield (first index, offset, length of the frame) of each block; hops from head to head."""
        at, index = HEADER_BYTES, self.first
        while index < self.stop:
            head = os.pread(self._descriptor, _HEAD_BYTES, at)
            if len(head) < _HEAD_BYTES:
                raise self._altered(index)
            length, _ = FRAME.unpack_from(head)
            first, count = archive.HEAD.unpack_from(head, FRAME.size)[:2]
            if first != index or not count or length > MAX_BLOCK_BYTES:
                raise self._altered(index)
            yield index, at, FRAME.size + length
            at, index = at + FRAME.size + length, index + count
        if index != self.stop:
            raise self._altered(index)

    def frame(self, index: int, offset: int, length: int) -> bytes:
        """Return one block's frame, its checksum checked."""
        data = os.pread(self._descriptor, length, offset)
        if len(data) != length or zlib.crc32(memoryview(data)[FRAME.size :]) != FRAME.unpack_from(data)[1]:
            raise self._altered(index)
        return data

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Block]:
        """Yield the blocks that hold records from ``start`` to ``stop``."""
        end = self.stop if stop is None else stop
        waiting: tuple[int, int, int] | None = None
        for entry in self.places():
            if waiting is not None and entry[0] > start:
                yield self._block(*waiting)
            waiting = entry
            if entry[0] >= end:
                return
        if waiting is not None and waiting[0] < end:
            yield self._block(*waiting)

    def _block(self, index: int, offset: int, length: int) -> Block:
        try:
            block = Block(self.frame(index, offset, length)[FRAME.size :])
        except EncodingError as error:
            raise self._altered(index) from error
        if block.first != index:
            raise self._altered(index)
        return block

    def records(self, start: int, stop: int) -> Iterator[tuple[int, JournalRecord]]:
        """Yield the records from ``start`` to ``stop``."""
        for block in self.blocks(start, stop):
            try:
                records = block.records()
            except EncodingError as error:
                raise self._altered(block.first) from error
            for index, record in enumerate(records, block.first):
                if start <= index < stop:
                    yield index, record

    def statements(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the statements from ``start`` to ``stop``."""
        for block in self.blocks(start, stop):
            try:
                found = block.statements()
            except EncodingError as error:
                raise self._altered(block.first) from error
            yield from found[max(0, start - block.first) : stop - block.first]

    def labels(self, wanted: Wanted | None = None) -> Iterator[Label]:
        """Yield the labels of the records in wanted blocks, or of all."""
        for block in self.blocks():
            time.sleep(0)  # the gate's thread may run now
            if wanted is None or wanted(block.summary):
                yield from block.labels()

    def key_ids(self) -> set[bytes]:
        """Return the data keys that the bodies need."""
        return {key_id for block in self.blocks() for key_id in block.key_ids}

    def _altered(self, index: int) -> AlteredError:
        return AlteredError(
            f"journal record {index} in `{self._path.name}` was altered",
            index=index,
            hint="its checksum does not match; restore the archive from a replica",
        )
