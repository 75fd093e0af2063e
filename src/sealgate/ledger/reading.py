"""Tiles, bundles and proofs out of the public files."""

from collections.abc import Iterator
from typing import Final

from sealgate.model.errors import AlteredError, NotProvenError
from sealgate.model.limits import TILE_WIDTH
from sealgate.ports.public_log import PublicLog
from sealgate.proofs import bundles, tiles
from sealgate.proofs.tiles import ReadTile, Tile

MINIMUM: Final = "minimum-index"
"""The file that names a pruned log's first index (C2SP tlog-tiles: a minimum index)."""


def read_wide(public: PublicLog, full_path: str, width: int) -> bytes:
    """Return the tile or bundle of exactly ``width``, or the full one where the partial was removed since.

    Raises:
        NotProvenError: neither is there.
    """
    data = public.read(full_path if width == TILE_WIDTH else f"{full_path}.p/{width}")
    if data is None and width < TILE_WIDTH:
        data = public.read(full_path)
    if data is None:
        raise NotProvenError(
            f"public file `{full_path}` is missing", hint="a reader of an old checkpoint may ask again with the newest"
        )
    return data


def read_minimum(public: PublicLog) -> int:
    """Return the first index that a log serves: a multiple of 256, 0 where nothing was pruned.

    Raises:
        AlteredError: the file that says so is malformed.
    """
    text = (public.read(MINIMUM) or b"0\n").decode("ascii", "replace").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) % TILE_WIDTH:
        raise AlteredError(f"`{MINIMUM}` is not a multiple of {TILE_WIDTH}")
    return int(text)


def tile_reader(public: PublicLog, size: int) -> ReadTile:
    """Return a reader for ``proofs.tiles`` over a log that has published ``size``.

    It serves trees of ``size`` and smaller: narrower tiles are cut from those that are there.
    """

    def read(level: int, index: int, width: int) -> bytes:
        there = min(TILE_WIDTH, (size >> 8 * level) - index * TILE_WIDTH)
        data = read_wide(public, Tile(level, index, TILE_WIDTH).full_path, max(there, width))
        return data[: width * 32]

    return read


def statements(public: PublicLog, index: int, width: int) -> list[bytes]:
    """Return the first ``width`` statements of a bundle, from a log whose bundle has that width or is full."""
    return _items(read_statement_bundle(public, index, width), width, 2)


def read_statement_bundle(public: PublicLog, index: int, width: int) -> bytes:
    """Return a statement bundle as ``read_wide`` does, plain in whichever form it is kept."""
    return bundles.unpack(read_wide(public, tiles.bundle_path(tiles.STATEMENTS, index), width))


def entries(public: PublicLog, index: int, width: int) -> list[bytes]:
    """Return the first ``width`` entries of a bundle."""
    data = read_wide(public, tiles.bundle_path(tiles.ENTRIES, index), width)
    return bundles.decode_entries(data[: width * 34], width)


def cut_bundle(data: bytes, width: int, head: int) -> bytes:
    """Return the first ``width`` items of a bundle as a bundle; ``head`` is the length's size in bytes."""
    at = 0
    for _ in range(width):
        at += head + int.from_bytes(data[at : at + head], "big")
    return data[:at]


def _items(data: bytes, width: int, head: int) -> list[bytes]:
    return bundles.decode_statements(cut_bundle(data, width, head), width)


def bundle_ranges(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (index, width) of the bundles that hold ``[start, stop)`` of a log of ``size``."""
    for index in range(start // TILE_WIDTH, -(-stop // TILE_WIDTH)):
        yield index, min(TILE_WIDTH, size - index * TILE_WIDTH)
