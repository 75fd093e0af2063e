"""Reads a log directory, file by file. Nothing that is read here is believed.

Bundles are split leniently, so that the first bad record can be named: what follows a broken length is missing, what
comes before it is still compared.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..model.errors import EncodingError, NotProvenError
from ..model.limits import MAX_BATCH_BODY_BYTES, MAX_CHECKPOINT_BYTES, MAX_STATEMENT_BYTES, TILE_WIDTH
from ..proofs import bundles, tiles, timestamps
from ..proofs.tiles import Tile
from ..proofs.tree import HASH_BYTES
from .report import UnreadableError

_ENTRY_STRIDE: Final = 2 + HASH_BYTES
_HEADS: Final = {tiles.STATEMENTS: (2, MAX_STATEMENT_BYTES), tiles.BODIES: (4, MAX_BATCH_BODY_BYTES)}


@dataclass(frozen=True, slots=True)
class Items:
    """The items of one bundle as far as its framing holds. Empty bytes stand for an absent item."""

    items: list[bytes]
    broken: bool


class LogFiles:
    """One log directory. A partial file may be read out of a wider one, as the log may have grown since."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.has_bodies = (folder / tiles.BODIES).is_dir()
        self._tiles: dict[tuple[int, int], bytes] = {}

    def checkpoint(self) -> bytes:
        """Return the checkpoint note.

        Raises:
            UnreadableError: there is none: this is no log directory.
        """
        data = self._read("checkpoint", MAX_CHECKPOINT_BYTES)
        if data is None:
            raise UnreadableError("the folder has no checkpoint", hint="name the folder of an exported log")
        return data

    def witnessed(self) -> bytes | None:
        """Return the newest checkpoint that carries cosignatures, where the log keeps it apart from the newest one."""
        return self._read("checkpoint.witnessed", MAX_CHECKPOINT_BYTES)

    def entries(self, index: int, width: int) -> bytes | None:
        """Return the bytes of an entry bundle, or None where it is missing."""
        data = self._bundle(tiles.ENTRIES, index, width, TILE_WIDTH * _ENTRY_STRIDE)
        return None if data is None else data[: width * _ENTRY_STRIDE] if len(data) > width * _ENTRY_STRIDE else data

    def items(self, kind: str, index: int, width: int) -> Items | None:
        """Return the first ``width`` items of a statement or body bundle, or None where the file is missing."""
        head, longest = _HEADS[kind]
        exact = self._read(tiles.bundle_path(kind, index, width), TILE_WIDTH * (head + longest))
        if exact is not None:
            return _split(_plain(kind, exact), width, head, longest, whole=True)
        full = self._read(tiles.bundle_path(kind, index), TILE_WIDTH * (head + longest))
        return None if full is None else _split(_plain(kind, full), width, head, longest, whole=False)

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Return the first ``width`` hashes of a tile; upper tiles are kept, as they are asked for again and again.

        Raises:
            NotProvenError: the tile is missing or too short.
        """
        if level == 0:
            return self._tile(level, index, width)
        kept = self._tiles.get((level, index))
        if kept is None or len(kept) < width * HASH_BYTES:
            for old in [key for key in self._tiles if key[0] == level]:
                del self._tiles[old]
            kept = self._tiles[(level, index)] = self._tile(level, index, width)
        return kept[: width * HASH_BYTES]

    def _tile(self, level: int, index: int, width: int) -> bytes:
        tile = Tile(level, index, width)
        limit = TILE_WIDTH * HASH_BYTES
        data = self._read(tile.path, limit)
        if data is None:
            data = self._read(tile.full_path, limit)
            data = None if data is None else data[: width * HASH_BYTES]
        if data is None:
            raise NotProvenError(f"tile {tile.path} is missing")
        if len(data) != width * HASH_BYTES:
            raise NotProvenError(f"tile {tile.path} has {len(data)} bytes")
        return data

    def timestamps(self) -> list[tuple[int, Path]]:
        """Return the timestamps in the directory as (tree size, file), smallest first."""
        found = [path for path in self._folder.glob("timestamps/*.tsr") if path.stem.isascii() and path.stem.isdigit()]
        return sorted((int(path.stem), path) for path in found)

    def read_timestamp(self, path: Path) -> bytes:
        """Return one timestamp's bytes."""
        return self._read(str(path.relative_to(self._folder)), timestamps.MAX_BYTES) or b""

    def _bundle(self, kind: str, index: int, width: int, limit: int) -> bytes | None:
        data = self._read(tiles.bundle_path(kind, index, width), limit)
        return self._read(tiles.bundle_path(kind, index), limit) if data is None and width < TILE_WIDTH else data

    def _read(self, path: str, limit: int) -> bytes | None:
        """Return at most ``limit`` + 1 bytes of a file, so that a giant file is seen as too long and not loaded."""
        try:
            with (self._folder / path).open("rb") as file:
                return file.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise UnreadableError(f"`{path}` cannot be read: {error.strerror}") from error


def _plain(kind: str, data: bytes) -> bytes:
    """Inflate a statement bundle; one that does not inflate is split as it stands, and found broken."""
    try:
        return bundles.unpack(data) if kind == tiles.STATEMENTS else data
    except EncodingError:
        return data


def _split(data: bytes, count: int, head: int, longest: int, *, whole: bool) -> Items:
    items: list[bytes] = []
    at = 0
    while len(items) < count:
        start = at + head
        length = int.from_bytes(data[at:start], "big")
        at = start + length
        if start > len(data) or at > len(data) or length > longest:
            return Items(items, broken=True)
        items.append(data[start:at])
    return Items(items, broken=whole and at != len(data))
