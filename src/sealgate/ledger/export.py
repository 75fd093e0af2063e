"""Copies a log, or a range of it, into a directory that a verifier reads without us.

The checkpoint is read first and everything else is cut to its size, so that a log that is growing meanwhile exports one
consistent state. A range gets what its inclusion proofs need: its own tiles of level 0, the right edge, and all tiles
above (one hash for 256 leaves).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sealgate.ledger.reading import bundle_ranges, cut_bundle, read_statement_bundle, read_wide
from sealgate.model.errors import InputError, NotProvenError
from sealgate.model.limits import TILE_WIDTH
from sealgate.ports.public_log import PublicLog, ReadBodies
from sealgate.proofs import bundles, checkpoints, tiles
from sealgate.proofs.tiles import Tile

Progress = Callable[[int, int], None]
_NOTES = ("checkpoint.witnessed", "checkpoint.timestamped")
FILES: Final = ("body", "stmt", "tile", "timestamps", "checkpoint*", "trust.json*")
"""Patterns of all that an export puts into a directory, what is still being written too; bodies first."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    origin: str
    size: int
    start: int
    stop: int
    files: int
    bodies: int


def export(
    source: PublicLog,
    target: PublicLog,
    *,
    start: int = 0,
    stop: int | None = None,
    bodies: ReadBodies | None = None,
    trust: bytes | None = None,
    progress: Progress = lambda _done, _all: None,
) -> Exported:
    """Write records ``start`` to ``stop`` (default: all) with everything their proofs need. ``target`` is empty.

    ``trust`` is copied beside them for convenience; no verifier believes it unless its user names it.

    Raises:
        InputError: the range is empty or beyond the published log.
        NotProvenError: a public file is missing.
        ForkError: the target holds another log.
    """
    note = source.read("checkpoint")
    if note is None:
        raise NotProvenError("the log has no checkpoint yet", hint="nothing can be exported before the first one")
    head, _ = checkpoints.parse(note)
    stop = head.size if stop is None else stop
    if not 0 <= start < stop <= head.size:
        raise InputError(f"range {start} to {stop} is not in a log of size {head.size}", hint="--to is exclusive")
    files = with_bodies = 0
    for tile in _tiles_of(start, stop, head.size):
        target.create(tile.path, read_wide(source, tile.full_path, tile.width)[: tile.width * 32])
        files += 1
    for index, width in bundle_ranges(start, stop, head.size):
        files += _copy_bundles(source, target, index, width)
        if bodies is not None:
            found = _bodies(bodies, index, width, start, stop)
            target.create(tiles.bundle_path(tiles.BODIES, index, width), bundles.encode_bodies(found))
            files += 1
            with_bodies += sum(body is not None for body in found)
        progress(min(stop, index * TILE_WIDTH + width) - start, stop - start)
    files += _copy_notes(source, target, head.size)
    if trust is not None:
        target.replace("trust.json", trust)
    # Last: a directory without its checkpoint is no log, so an interrupted export cannot pass for a whole one.
    target.settle()
    target.replace("checkpoint", note)
    return Exported(head.origin, head.size, start, stop, files + 1, with_bodies)


def _copy_bundles(source: PublicLog, target: PublicLog, index: int, width: int) -> int:
    """Copy entries and statements; a bundle whose statements have all expired is not there any more."""
    entries = read_wide(source, tiles.bundle_path(tiles.ENTRIES, index), width)
    target.create(tiles.bundle_path(tiles.ENTRIES, index, width), cut_bundle(entries, width, 2))
    path = tiles.bundle_path(tiles.STATEMENTS, index)
    if width == TILE_WIDTH and source.read(path) is None:
        return 1
    statements = read_statement_bundle(source, index, width)
    target.create(tiles.bundle_path(tiles.STATEMENTS, index, width), cut_bundle(statements, width, 2))
    return 2


def _bodies(read: ReadBodies, index: int, width: int, start: int, stop: int) -> list[bytes | None]:
    """Return the bodies of one bundle; those outside the range are absent."""
    first = index * TILE_WIDTH
    low, high = max(start, first), min(stop, first + width)
    return [None] * (low - first) + read(low, high) + [None] * (first + width - high)


def _tiles_of(start: int, stop: int, size: int) -> Iterator[Tile]:
    bottom = range(start // TILE_WIDTH, -(-stop // TILE_WIDTH))
    edge = size // TILE_WIDTH
    for tile in tiles.new_tiles(0, size):
        if tile.level or tile.index in bottom or tile.index == edge:
            yield tile


def _copy_notes(source: PublicLog, target: PublicLog, size: int) -> int:
    copied = 0
    for path in _NOTES:
        note = source.read(path)
        if note is None:
            continue
        head, _ = checkpoints.parse(note)
        if head.size > size:  # published after we began; it belongs to a later export
            continue
        target.replace(path, note)
        copied += 1
        stamp = source.read(f"timestamps/{head.size}.tsr")
        if stamp is not None:
            target.create(f"timestamps/{head.size}.tsr", stamp)
            copied += 1
    return copied
