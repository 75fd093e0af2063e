"""C2SP tlog-tiles: where a tree's hashes lie, how proofs are read from them, how appending makes new ones.

A tile holds up to 256 hashes of one level: slot ``i`` of tile ``n`` at level ``l`` is the root over the leaves
``[(n*256+i)*256^l, (n*256+i+1)*256^l)``. A partial tile ends in ``.p/<width>`` and is never hashed into the level
above.

Reading is through ``ReadTile``: called with (level, index, width) it returns the first ``width`` hashes, concatenated;
it may cut them from a wider tile. What it returns is not believed: proofs made from it are verified as any other.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ..model.errors import InputError, NotProvenError
from ..model.limits import TILE_WIDTH
from . import tree

ReadTile = Callable[[int, int, int], bytes]
"""(level, index, width) → ``width * 32`` bytes. Raises one of our errors where it cannot."""

_LEVEL_BITS: Final = 8
_MAX_LEVEL: Final = 7
_TILE_BYTES: Final = TILE_WIDTH * tree.HASH_BYTES
_NUMBER: Final = r"(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
_PATH: Final = re.compile(rf"(?P<kind>tile/entries|tile/(?P<level>[0-7])|stmt|body)/{_NUMBER}", re.ASCII)

ENTRIES: Final = "tile/entries"
STATEMENTS: Final = "stmt"
BODIES: Final = "body"
KINDS: Final = (ENTRIES, STATEMENTS, BODIES)
"""Directories of bundles, 256 to a file, aligned with the tiles of level 0."""


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """The name of one tile."""

    level: int
    index: int
    width: int

    @property
    def path(self) -> str:
        """The tile's path under the log's directory."""
        return f"tile/{self.level}/{number_path(self.index)}{_partial(self.width)}"

    @property
    def full_path(self) -> str:
        """The path that the tile has, or will have, when it is full."""
        return f"tile/{self.level}/{number_path(self.index)}"


def number_path(number: int) -> str:
    """Return ``number`` in groups of three digits, all but the last marked: 1234067 is ``x001/x234/067``."""
    if not 0 <= number <= tree.MAX_SIZE:
        raise InputError(f"tile index {number} is out of range")
    parts = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        parts.append(f"x{number % 1000:03d}")
    return "/".join(reversed(parts))


def _partial(width: int) -> str:
    if not 1 <= width <= TILE_WIDTH:
        raise InputError(f"tile width {width} is out of range")
    return "" if width == TILE_WIDTH else f".p/{width}"


def bundle_path(kind: str, index: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a bundle: ``kind`` is one of ``KINDS``."""
    return f"{kind}/{number_path(index)}{_partial(width)}"


def parse_path(path: str) -> tuple[str, int, int]:
    """Return (``tile/<level>`` or a bundle kind, index, width) of a path that this module would write.

    Raises:
        InputError: it is no such path. Nothing that passes can leave the log's directory.
    """
    match = _PATH.fullmatch(path)
    if match:
        index = int(match["index"].replace("x", "").replace("/", ""))
        width = int(match["width"] or TILE_WIDTH)
        if index <= tree.MAX_SIZE and width <= TILE_WIDTH:
            again = f"{match['kind']}/{number_path(index)}{_partial(width)}"
            if again == path:
                return match["kind"], index, width
    raise InputError(f"`{path[:80]}` is not a path of the log")


def bundles_of(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield (index, width) of each bundle that holds entries of ``[start, stop)``, for a log of size ``stop``."""
    for index in range(start // TILE_WIDTH, -(-stop // TILE_WIDTH)):
        yield index, min(TILE_WIDTH, stop - index * TILE_WIDTH)


def new_tiles(old: int, new: int) -> Iterator[Tile]:
    """Yield the tiles that a tree of size ``new`` has and one of size ``old`` did not; from 0 yields all."""
    for level in range(_MAX_LEVEL + 1):
        before, after = old >> level * _LEVEL_BITS, new >> level * _LEVEL_BITS
        if not after:
            return
        if before == after:
            continue
        for index in range(before // TILE_WIDTH, -(-after // TILE_WIDTH)):
            yield Tile(level, index, min(TILE_WIDTH, after - index * TILE_WIDTH))


def right_edge(size: int) -> list[Tile]:
    """Return the partial tiles of a tree of ``size``, lowest level first; levels without one are left out."""
    edge = []
    for level in range(_MAX_LEVEL + 1):
        count = size >> level * _LEVEL_BITS
        if count % TILE_WIDTH:
            edge.append(Tile(level, count // TILE_WIDTH, count % TILE_WIDTH))
    return edge


def hash_range(start: int, stop: int, size: int, read_tile: ReadTile) -> bytes:
    """Return the root over leaves ``[start, stop)`` of a tree of ``size``; a range as RFC 6962's proofs use them.

    Raises:
        InputError: the range is empty or outside the tree, or is not one that a tree can have.
    """
    if not 0 <= start < stop <= size:
        raise InputError(f"range {start} to {stop} is not in a tree of size {size}")
    count = stop - start
    if count & (count - 1) == 0:
        height = count.bit_length() - 1
        if start % count:
            raise InputError(f"range {start} to {stop} is not a subtree")
        return _subtree(start >> height, height, size, read_tile)
    middle = start + tree.split(count)
    return tree.node_hash(
        hash_range(start, middle, size, read_tile),
        hash_range(middle, stop, size, read_tile),
    )


def _subtree(index: int, height: int, size: int, read_tile: ReadTile) -> bytes:
    level, rest = divmod(height, _LEVEL_BITS)
    number, slot = divmod(index << rest, TILE_WIDTH)
    width = min(TILE_WIDTH, (size >> level * _LEVEL_BITS) - number * TILE_WIDTH)
    data = read_tile(level, number, width)
    if len(data) != width * tree.HASH_BYTES:
        raise NotProvenError(f"tile `{Tile(level, number, width).path}` has {len(data)} bytes")
    return tree.perfect_root(data[slot * tree.HASH_BYTES : (slot + (1 << rest)) * tree.HASH_BYTES])


def root(size: int, read_tile: ReadTile) -> bytes:
    """Return the root of the tree of ``size``, read from its right edge."""
    return hash_range(0, size, size, read_tile) if size else tree.EMPTY_ROOT


def prove_inclusion(index: int, size: int, read_tile: ReadTile) -> list[bytes]:
    """Return the inclusion proof of leaf ``index``, leaf to root (RFC 6962 section 2.1.1).

    Raises:
        InputError: the index is not in the tree.
    """
    if not 0 <= index < size:
        raise InputError(f"index {index} is not in a tree of size {size}")
    ranges = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + tree.split(stop - start)
        if index < middle:
            ranges.append((middle, stop))
            stop = middle
        else:
            ranges.append((start, middle))
            start = middle
    return [hash_range(*part, size, read_tile) for part in reversed(ranges)]


def prove_consistency(old: int, new: int, read_tile: ReadTile) -> list[bytes]:
    """Return the proof that the tree of ``new`` begins with that of ``old`` (RFC 6962 section 2.1.2).

    Raises:
        InputError: not 1 <= old <= new.
    """
    if not 1 <= old <= new:
        raise InputError(f"consistency of sizes {old} and {new} cannot be proven")
    ranges = []
    start, stop, whole = 0, new, True
    while old - start != stop - start:
        middle = start + tree.split(stop - start)
        if old <= middle:
            ranges.append((middle, stop))
            stop = middle
        else:
            ranges.append((start, middle))
            start, whole = middle, False
    if not whole:
        ranges.append((start, stop))
    return [hash_range(*part, new, read_tile) for part in reversed(ranges)]


class TileBuilder:
    """Appends leaves to a tree of which only the right edge is in memory (at most 64 KiB, whatever the size).

    ``append`` costs one hash per leaf, amortized; ``take`` returns what is new since the last call, so that work and
    output follow the batch, not the tree. Not safe for several threads.
    """

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[bytearray] = [bytearray()]  # the unfinished tile of each level
        self._full: dict[Tile, bytes] = {}
        self._taken = 0

    @classmethod
    def load(cls, size: int, read_tile: ReadTile) -> "TileBuilder":
        """Return the builder of an existing tree. Compare ``root()`` with the checkpoint before appending."""
        builder = cls()
        builder.size = builder._taken = size
        for level in range(1, _MAX_LEVEL + 1):
            if size >> level * _LEVEL_BITS:
                builder._edge.append(bytearray())
        for tile in right_edge(size):
            data = read_tile(tile.level, tile.index, tile.width)
            if len(data) != tile.width * tree.HASH_BYTES:
                raise NotProvenError(f"tile `{tile.path}` has {len(data)} bytes")
            builder._edge[tile.level] += data
        return builder

    def append(self, leaf: bytes) -> None:
        """Take the next leaf hash."""
        edge = self._edge[0]
        edge += leaf
        self.size += 1
        if len(edge) == _TILE_BYTES:
            self._finish(0)

    def _finish(self, level: int) -> None:
        data = bytes(self._edge[level])
        self._edge[level].clear()
        above = level + 1
        index = (self.size >> above * _LEVEL_BITS) - 1
        self._full[Tile(level, index, TILE_WIDTH)] = data
        if above == len(self._edge):
            self._edge.append(bytearray())
        self._edge[above] += tree.perfect_root(data)
        if len(self._edge[above]) == _TILE_BYTES:
            self._finish(above)

    def take(self) -> dict[Tile, bytes]:
        """Return the tiles that are new since the last call: full ones, and the partial ones of the size now."""
        result, self._full = self._full, {}
        for tile in right_edge(self.size):
            before = self._taken >> tile.level * _LEVEL_BITS
            if before != self.size >> tile.level * _LEVEL_BITS:
                result[tile] = bytes(self._edge[tile.level])
        self._taken = self.size
        return result

    def root(self) -> bytes:
        """Return the root of the tree now."""
        if not self.size:
            return tree.EMPTY_ROOT
        parts: list[bytes] = []
        for edge in reversed(self._edge):
            count, at = len(edge) // tree.HASH_BYTES, 0
            while count:
                width = (1 << count.bit_length() - 1) * tree.HASH_BYTES
                parts.append(tree.perfect_root(bytes(edge[at : at + width])))
                at += width
                count -= width // tree.HASH_BYTES
        return tree.join_right(parts)
