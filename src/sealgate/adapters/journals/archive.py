"""The bytes of an archived journal segment. Pure: what is on disk, not how it gets there.

::

    header     8s magic · u32 version · u32 sequence · u64 first index · u64 durable bytes of the previous segment
               · 32s SHA-256(origin) · u64 durable bytes as it was written · u64 records · u32 generation · u32 crc32
    block      u32 length · u32 crc32 of payload · payload
    payload    u64 first index · u32 records · u16 groups · u32 labels · u32 statements · labels · statements · groups
    labels     zstd of: JSON array of class names (u32 length) · columns: i64 time, u16 class, u16 statement length,
               u32 body length, u16 group
    statements zstd of the statements, one behind the other
    group      1s form · 16s key id · 12s nonce · u32 length · bytes

Numbers are little-endian. A record's body is in its group behind those of the records before it; group 65535 means that
it has none: expired. Form ``P`` is a sealed group (``encoding.sealed_group``), form ``S`` one sealed body as it was,
because its key is gone.
"""

import json
import struct
import sys
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

import zstandard

from sealgate.adapters.journals.segment import Header
from sealgate.encoding import sealed_body, sealed_group
from sealgate.model.errors import EncodingError
from sealgate.model.limits import MAX_BATCH_BODY_BYTES
from sealgate.ports.archiving import Kept, Label, Summary
from sealgate.ports.journal import JournalRecord

MAGIC: Final = b"SEALARCH"
VERSION: Final = 1
BLOCK_RECORDS: Final = 2048
BLOCK_BODY_BYTES: Final = 4 * MAX_BATCH_BODY_BYTES
"""A block is full at so many records or so many bytes of bodies: what reading one record has to expand."""

MAX_BLOCK_BYTES: Final = 64 * MAX_BATCH_BODY_BYTES
NO_GROUP: Final = 0xFFFF
_LEVEL: Final = 12

_HEADER = struct.Struct("<8sIIQQ32sQQI")
_CRC = struct.Struct("<I")
HEADER_BYTES: Final = _HEADER.size + _CRC.size
FRAME: Final = struct.Struct("<II")
HEAD: Final = struct.Struct("<QIHII")
_GROUP = struct.Struct("<1s16s12sI")
_PACKED: Final = b"P"
_SINGLE: Final = b"S"


@dataclass(frozen=True, slots=True)
class ArchiveHeader:
    """What an archive says about itself. ``header`` is the one of the segment that it replaces."""

    header: Header
    durable_bytes: int
    records: int
    generation: int

    def encode(self) -> bytes:
        """Return the header's bytes."""
        was = self.header
        head = _HEADER.pack(
            MAGIC,
            VERSION,
            was.sequence,
            was.first_index,
            was.previous_bytes,
            was.origin,
            self.durable_bytes,
            self.records,
            self.generation,
        )
        return head + _CRC.pack(zlib.crc32(head))


def decode_header(data: bytes) -> ArchiveHeader | None:
    """Return the header at the start of ``data``, or None if it is not one of ours, whole and unaltered."""
    if len(data) < HEADER_BYTES or _CRC.unpack_from(data, _HEADER.size)[0] != zlib.crc32(data[: _HEADER.size]):
        return None
    magic, version, sequence, first, previous, origin, durable, records, generation = _HEADER.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        return None
    return ArchiveHeader(Header(sequence, first, previous, origin), durable, records, generation)


Draw = Callable[[], bytes]
"""Gives 12 fresh random bytes."""


def place(first: int, number: int) -> int:
    """Return a group's place: unique in its log, as blocks do not overlap."""
    return first << 16 | number


class BlockBuilder:
    """Collects what remains of consecutive records and makes one block of it."""

    def __init__(self, origin: str, first: int) -> None:
        self.first = first
        self._origin = origin
        self._kept: list[Kept] = []
        self._body_bytes = 0

    def add(self, kept: Kept) -> None:
        """Take the next record."""
        self._kept.append(kept)
        self._body_bytes += len(kept.body or kept.sealed)

    @property
    def full(self) -> bool:
        """Whether the block should be written."""
        return len(self._kept) >= BLOCK_RECORDS or self._body_bytes >= BLOCK_BODY_BYTES

    def __len__(self) -> int:
        return len(self._kept)

    def encode(self, draw: Draw) -> bytes:
        """Return the block's frame."""
        numbers: dict[bytes, int] = {}
        members: list[list[Kept]] = []
        column = array("H")
        for kept in self._kept:
            number = NO_GROUP
            if kept.body is not None and kept.key is not None:
                number = numbers.setdefault(kept.key.key_id, len(members))
                if number == len(members):
                    members.append([])
                members[number].append(kept)
            elif kept.sealed:
                number = len(members)
                members.append([kept])
            column.append(number)
        groups = [self._group(number, group, draw) for number, group in enumerate(members)]
        labels = _encode_labels(self._kept, column)
        statements = _compress(b"".join([kept.statement for kept in self._kept]))
        head = HEAD.pack(self.first, len(self._kept), len(groups), len(labels), len(statements))
        payload = b"".join((head, labels, statements, *groups))
        return FRAME.pack(len(payload), zlib.crc32(payload)) + payload

    def _group(self, number: int, group: list[Kept], draw: Draw) -> bytes:
        key = group[0].key
        if key is None:
            sealed = group[0].sealed
            return _GROUP.pack(_SINGLE, sealed_body.key_id_of(sealed), bytes(12), len(sealed)) + sealed
        nonce = draw()
        aad = sealed_group.associated_data(self._origin, place(self.first, number))
        sealed = sealed_group.seal(key.cipher, nonce, [kept.body or b"" for kept in group], aad)
        return _GROUP.pack(_PACKED, key.key_id, nonce, len(sealed)) + sealed


def _encode_labels(kept: Sequence[Kept], groups: "array[int]") -> bytes:
    classes: dict[str, int] = {}
    numbers = array("H", [classes.setdefault(item.retention_class, len(classes)) for item in kept])
    names = json.dumps(list(classes)).encode()
    columns = (
        array("q", _differences([item.time_ms for item in kept])),
        numbers,
        array("H", [len(item.statement) for item in kept]),
        array("I", [len(item.body or item.sealed) for item in kept]),
        groups,
    )
    return _compress(struct.pack("<I", len(names)) + names + b"".join(map(_little, columns)))


def _differences(values: Sequence[int]) -> list[int]:
    return [values[0], *(after - before for before, after in pairwise(values))]


def _little(column: "array[int]") -> bytes:
    if sys.byteorder == "big":  # pragma: no cover - no such machine here
        column = array(column.typecode, column)
        column.byteswap()
    return column.tobytes()


def _compress(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=False).compress(data)


def _expand(data: bytes) -> bytes:
    try:
        if not 0 <= zstandard.frame_content_size(data) <= MAX_BLOCK_BYTES:
            raise EncodingError("a part of an archived block does not say how large it is")
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=MAX_BLOCK_BYTES)
    except zstandard.ZstdError as error:
        raise EncodingError(f"a part of an archived block does not expand: {error}") from error


@dataclass(frozen=True, slots=True)
class _Group:
    form: bytes
    key_id: bytes
    nonce: bytes
    data: bytes


class Block:
    """One decoded block: labels without opening anything, records as the journal gives them.

    Raises:
        EncodingError: not a block; the caller names the segment.
    """

    def __init__(self, payload: bytes) -> None:
        try:
            self._decode(payload)
        except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
            raise EncodingError(f"not an archived block: {error}") from error

    def _decode(self, payload: bytes) -> None:
        self.first, self.count, groups, labels, statements = HEAD.unpack_from(payload)
        at = HEAD.size
        columns = _expand(payload[at : at + labels])
        at += labels
        self._packed_statements = payload[at : at + statements]
        at += statements
        self._groups = []
        for _ in range(groups):
            form, key_id, nonce, length = _GROUP.unpack_from(payload, at)
            at += _GROUP.size
            if form not in {_PACKED, _SINGLE} or at + length > len(payload):
                raise EncodingError("a group of an archived block is malformed")
            self._groups.append(_Group(form, key_id, nonce, payload[at : at + length]))
            at += length
        if at != len(payload):
            raise EncodingError("bytes follow an archived block")
        self._decode_columns(columns)

    def _decode_columns(self, data: bytes) -> None:
        (length,) = struct.unpack_from("<I", data)
        self._classes = [str(name) for name in json.loads(data[4 : 4 + length])]
        at = 4 + length
        found: list[array[int]] = []
        for code in "qHHIH":
            column = array(code)
            end = at + self.count * column.itemsize
            if end > len(data):
                raise EncodingError("the labels of an archived block are too short")
            column.frombytes(data[at:end])
            if sys.byteorder == "big":  # pragma: no cover - no such machine here
                column.byteswap()
            found.append(column)
            at = end
        times, self._numbers, self._statement_lengths, self._body_lengths, self._column = found
        self._times = list(accumulate(times))
        if any(number != NO_GROUP and number >= len(self._groups) for number in self._column):
            raise EncodingError("a record of an archived block is in no group of it")

    @property
    def key_ids(self) -> set[bytes]:
        """The data keys that bodies of this block need."""
        return {group.key_id for group in self._groups}

    @property
    def summary(self) -> Summary:
        """What is known at a glance."""
        bodies = any(number != NO_GROUP for number in self._column)
        return Summary(tuple(self._classes), min(self._times), bodies, any(self._statement_lengths))

    @property
    def complete(self) -> bool:
        """Whether each record has its statement and its body."""
        return NO_GROUP not in self._column and 0 not in self._statement_lengths

    def labels(self) -> Iterator[Label]:
        """Yield what is known of each record."""
        for slot in range(self.count):
            number = self._column[slot]
            yield Label(
                self.first + slot,
                self._times[slot],
                self._classes[self._numbers[slot]],
                None if number == NO_GROUP else self._groups[number].key_id,
                self._statement_lengths[slot] > 0,
            )

    def statements(self) -> list[bytes]:
        """Return the statements; empty where one expired."""
        plain = _expand(self._packed_statements)
        ends = list(accumulate(self._statement_lengths))
        if not ends or ends[-1] != len(plain):
            raise EncodingError("the statements of an archived block have another length")
        return [plain[end - length : end] for end, length in zip(ends, self._statement_lengths, strict=True)]

    def records(self) -> list[JournalRecord]:
        """Return the records, statements and places of bodies."""
        offsets = [0] * len(self._groups)
        found = []
        for slot, statement in enumerate(self.statements()):
            number = self._column[slot]
            if number == NO_GROUP:
                found.append(JournalRecord(statement, b""))
                continue
            group, length = self._groups[number], self._body_lengths[slot]
            if group.form == _SINGLE:
                found.append(JournalRecord(statement, group.data))
                continue
            sealed = sealed_group.reference(
                group.key_id, group.nonce, place(self.first, number), offsets[number], length
            )
            offsets[number] += length
            found.append(JournalRecord(statement, sealed, group.data))
        return found
