"""Checks a log's records bundle by bundle, in flat memory: statements, entries, tiles, signatures, bodies, order.

For each bundle: statements → entries → entry bundle; entries → leaf hashes → tile of level 0; tile → its slot in the
tile above. What fails first, by index, is what is reported: before a bad record is named, all records before it in the
bundle are checked in full. The tree's root comes out of this and is compared with the checkpoint by the caller.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from ..encoding import statement
from ..encoding.statement import Statement
from ..model.errors import AlteredError, NotProvenError, SealgateError
from ..model.limits import TILE_WIDTH
from ..proofs import bundles, tiles, tree
from ..proofs.key_events import GENESIS
from ..proofs.keys import is_signed
from .completeness import GAP_KINDS, Completeness
from .keyring import KEY_EVENTS, KeyRing
from .logfiles import Items, LogFiles
from .record import AUTHORITY, check_body, require_endorsed

_ENTRY_STRIDE: Final = 34
_MAX_LEVEL: Final = 7


class FoundError(Exception):
    """The first bad record: which step it belongs to, what is wrong, at which index. Never leaves this package."""

    def __init__(self, step: str, error: SealgateError, index: int) -> None:
        super().__init__(error.message)
        self.step = step
        self.error = error
        self.index = index


@dataclass(slots=True)
class Totals:
    """What was looked at."""

    records: int = 0
    signatures: int = 0
    bodies: int = 0


@dataclass(slots=True)
class Scan:
    """One pass over the records of a log of ``size``. ``keys`` is None where nobody is trusted."""

    files: LogFiles
    size: int
    keys: KeyRing | None
    signatures: bool
    origin: str
    root_key: bytes | None = None
    hasher: tree.TreeHasher = field(default_factory=tree.TreeHasher)
    completeness: Completeness = field(default_factory=Completeness)
    totals: Totals = field(default_factory=Totals)
    marks: dict[int, bytes] = field(default_factory=dict)
    """Tree sizes whose roots are wanted; filled in as they are passed."""

    def bundle(self, number: int) -> None:
        """Check the next bundle.

        Raises:
            FoundError: the first bad record.
        """
        start = number * TILE_WIDTH
        width = min(TILE_WIDTH, self.size - start)
        sealed = self.files.items(tiles.STATEMENTS, number, width)
        statements = [b""] * width if sealed is None else sealed.items
        leaves, mismatch = self._leaves(number, start, width, statements, broken=bool(sealed and sealed.broken))
        good = width if mismatch is None else mismatch.index - start
        self._check_records(start, statements[:good], self._bodies(number, width, good))
        if mismatch is not None:
            raise mismatch
        self._grow(number, leaves, width)

    # entries and tiles ------------------------------------------------------------------------------------------------

    def _leaves(
        self, number: int, start: int, width: int, statements: list[bytes], *, broken: bool
    ) -> tuple[bytes, FoundError | None]:
        """Return the leaf hashes, and the first record whose statement, entry and leaf do not agree."""
        stored = self.files.entries(number, width)
        if stored is None:
            return b"", FoundError("tree", NotProvenError(f"entry bundle {number} is missing"), start)
        try:
            tile = self.files.tile(0, number, width)
        except NotProvenError as error:
            return b"", FoundError("tree", error, start)
        if not broken and b"" not in statements:
            entries = [sha256(item).digest() for item in statements]
            leaves = b"".join([sha256(b"\x00" + entry).digest() for entry in entries])
            if leaves == tile and bundles.encode_entries(entries) == stored:
                return leaves, None
        return self._compare(start, width, statements, stored, tile)

    def _compare(
        self, start: int, width: int, statements: list[bytes], stored: bytes, tile: bytes
    ) -> tuple[bytes, FoundError | None]:
        """Go through a bundle record by record; a missing statement leaves its entry to speak for it."""
        leaves = []
        for slot in range(width):
            index = start + slot
            piece = stored[slot * _ENTRY_STRIDE : (slot + 1) * _ENTRY_STRIDE]
            if slot >= len(statements):
                return b"", _altered("statements", f"statement bundle breaks off at record {index}", index)
            if len(piece) != _ENTRY_STRIDE or piece[:2] != b"\x00\x20":
                return b"", _altered("tree", f"entry of record {index} is malformed", index)
            if statements[slot] and sha256(statements[slot]).digest() != piece[2:]:
                return b"", _altered("tree", f"statement of record {index} is not the one that was logged", index)
            leaf = tree.leaf_hash(piece[2:])
            if leaf != tile[slot * 32 : slot * 32 + 32]:
                return b"", _altered("tree", f"entry of record {index} is not the one in the tree", index)
            leaves.append(leaf)
        last = start + width - 1
        if len(stored) != width * _ENTRY_STRIDE:
            return b"", _altered("tree", "bytes follow the entry bundle's last record", last)
        if b"" not in statements:
            return b"", _altered("statements", "bytes follow the statement bundle's last record", last)
        return b"".join(leaves), None

    def _grow(self, number: int, leaves: bytes, width: int) -> None:
        start = number * TILE_WIDTH
        for mark in self.marks:
            if start < mark < start + TILE_WIDTH and mark <= self.size:
                self.marks[mark] = self._root_with(leaves[: (mark - start) * 32])
        if width == TILE_WIDTH:
            root = tree.perfect_root(leaves)
            self.hasher.append_subtree(root, TILE_WIDTH)
            self._check_above(1, number, root)
        else:
            self.hasher.extend(leaves[at : at + 32] for at in range(0, len(leaves), 32))
        if self.hasher.size in self.marks:
            self.marks[self.hasher.size] = self.hasher.root()
        self.totals.records += width

    def _root_with(self, leaves: bytes) -> bytes:
        hasher = tree.TreeHasher.resume(self.hasher.size, self.hasher.subtrees)
        hasher.extend(leaves[at : at + 32] for at in range(0, len(leaves), 32))
        return hasher.root()

    def _check_above(self, level: int, slot: int, root: bytes) -> None:
        """Compare the root of a full tile with its slot in the tile above, and so on up."""
        first = slot << 8 * level
        number, place = divmod(slot, TILE_WIDTH)
        width = min(TILE_WIDTH, (self.size >> 8 * level) - number * TILE_WIDTH)
        try:
            tile = self.files.tile(level, number, width)
        except NotProvenError as error:
            raise FoundError("tree", error, first) from error
        if tile[place * 32 : place * 32 + 32] != root:
            what = f"records {first} to {first + (1 << 8 * level) - 1} do not hash to tile {level}/{number}"
            raise _altered("tree", what, first)
        if place == TILE_WIDTH - 1 and level < _MAX_LEVEL:
            self._check_above(level + 1, number, tree.perfect_root(tile))

    # records ----------------------------------------------------------------------------------------------------------

    def _bodies(self, number: int, width: int, good: int) -> list[bytes]:
        """Return the bodies of the first ``good`` records; fewer where the bundle breaks off."""
        if not self.files.has_bodies:
            return [b""] * good
        found: Items | None = self.files.items(tiles.BODIES, number, width)
        if found is None:
            missing = NotProvenError(f"body bundle {number} is missing beside the others")
            raise FoundError("bodies", missing, number * TILE_WIDTH)
        if found.broken and len(found.items) == width:
            return found.items[: min(good, width - 1)]
        return found.items[:good]

    def _check_records(self, start: int, statements: list[bytes], bodies: list[bytes]) -> None:
        for slot, sealed in enumerate(statements):
            index = start + slot
            step = "statements"
            try:
                if not sealed:
                    step = "completeness"
                    self.completeness.miss(index)
                    continue
                parsed = statement.parse(sealed)
                key = None if self.keys is None else self.keys.key_at(parsed.claims.kid, index)
                step = "bodies"
                if slot >= len(bodies):
                    raise AlteredError(f"body bundle breaks off at record {index}", index=index)
                record = self._check_body(parsed, bodies[slot], index) if bodies[slot] else None
                step = "statements"
                if record is not None and record["kind"] in KEY_EVENTS:
                    key = self._key_event(parsed, record, index)
                self._check_signature(parsed, key, index)
                step = "completeness"
                self.completeness.see(parsed.claims.epoch, parsed.claims.seq, index)
                if record is not None and record["kind"] in GAP_KINDS and parsed.claims.sub == AUTHORITY:
                    self.completeness.excuse(record)
            except SealgateError as error:
                raise FoundError(step, error, index) from error

    def _check_signature(self, parsed: Statement, key: bytes | None, index: int) -> None:
        if key is None or not self.signatures:
            return
        if not is_signed(key, parsed.signing_input, parsed.signature):
            raise AlteredError(f"statement of record {index} does not carry a valid signature of its key", index=index)
        self.totals.signatures += 1

    def _check_body(self, parsed: Statement, body: bytes, index: int) -> dict[str, Any]:
        if sha256(body).digest() != parsed.commitment:
            raise AlteredError(f"body of record {index} is not the one that was sealed", index=index)
        record = check_body(body)
        producer = record.get("producer")
        claimed = {"epoch": parsed.claims.epoch.hex(), "seq": parsed.claims.seq}
        if producer is not None and producer != claimed:
            raise AlteredError(f"body of record {index} names another producer than its statement", index=index)
        self._check_genesis(record, index)
        self.totals.bodies += 1
        return record

    def _check_genesis(self, record: dict[str, Any], index: int) -> None:
        if (index == 0) != (record["kind"] == GENESIS):
            raise AlteredError(f"record {index} is `{record['kind']}`: a log begins with genesis, once", index=index)
        if index == 0 and self.root_key is not None:
            require_endorsed(record, self.root_key, self.origin, index)

    def _key_event(self, parsed: Statement, record: dict[str, Any], index: int) -> bytes | None:
        if self.keys is None:
            return None
        if parsed.claims.sub != AUTHORITY:
            raise AlteredError(f"key event at index {index} is not the authority's own record", index=index)
        self.keys.apply(record, index)
        return self.keys.key_at(parsed.claims.kid, index)


def _altered(step: str, message: str, index: int) -> FoundError:
    return FoundError(step, AlteredError(message, index=index), index)


def start_at(bundle: int, size: int, read_tile: Callable[[int, int, int], bytes]) -> tree.TreeHasher:
    """Return the hasher of all before ``bundle``, out of the tiles; the final root tells whether they are true."""
    at, subtrees, end = 0, [], bundle * TILE_WIDTH
    while at < end:
        count = 1 << (end - at).bit_length() - 1
        subtrees.append(tiles.hash_range(at, at + count, size, read_tile))
        at += count
    return tree.TreeHasher.resume(end, subtrees)


def finish(hasher: tree.TreeHasher, size: int, read_tile: Callable[[int, int, int], bytes]) -> bytes:
    """Return the root once everything behind the scanned part was taken out of the tiles."""
    while hasher.size < size:
        largest = 1 << (size - hasher.size).bit_length() - 1
        aligned = hasher.size & -hasher.size or largest
        count = min(largest, aligned)
        hasher.append_subtree(tiles.hash_range(hasher.size, hasher.size + count, size, read_tile), count)
    return hasher.root()
