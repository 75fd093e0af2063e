"""Re-verifies a whole log from its public files only, in one pass, in memory that does not grow with the log.

Every statement is hashed to its entry, every entry to its leaf, every tile of every level is computed again and
compared, and the root must be the signed one. Signatures on statements and bodies are the verifier's work
(``sealgate-verify``); this finds what a disk, a copy or a hand did to the files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from sealgate.ledger.reading import read_minimum, read_statement_bundle, read_wide, tile_reader
from sealgate.model.errors import AlteredError, EncodingError, NotProvenError
from sealgate.model.limits import TILE_WIDTH
from sealgate.ports.public_log import PublicLog
from sealgate.proofs import bundles, checkpoints, quorum, tiles, tree
from sealgate.proofs.checkpoints import Checkpoint
from sealgate.proofs.notes import VerifierKey
from sealgate.proofs.tiles import Tile, TileBuilder

_OTHER_NOTES: Final = ("checkpoint.witnessed", "checkpoint.timestamped")

Progress = Callable[[int, int], None]
"""Called with (entries done, entries in all) after each bundle."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found whole. ``signature`` tells whether the checkpoint's was checked; ``statements`` were hashed."""

    origin: str
    size: int
    root: bytes
    statements: int
    tiles: int
    signature: bool


def fsck(
    public: PublicLog,
    *,
    key: VerifierKey | None = None,
    statements_expected: bool = True,
    progress: Progress = lambda _done, _all: None,
) -> Report:
    """Check every public file that the newest checkpoint covers; of a pruned log, those from its minimum index on.

    Without ``key`` the result is self-consistency only. A log whose statements have expired is checked with
    ``statements_expected=False``: bundles that are there are still compared.

    Raises:
        AlteredError: content does not match; names the first record where it is known.
        NotProvenError: a file is missing.
    """
    note = public.read("checkpoint")
    if note is None:
        raise NotProvenError("the log has no checkpoint", hint="is this the log's directory?")
    head = _head(note, key, "checkpoint")
    start = read_minimum(public)
    builder = TileBuilder.load(start, tile_reader(public, head.size)) if 0 < start <= head.size else TileBuilder()
    counted, compared = 0, _Tiles(public)
    for index, width in tiles.bundles_of(start, head.size):
        entries = _entries(public, index, width)
        counted += _check_statements(public, index, entries, expected=statements_expected)
        for entry in entries:
            builder.append(tree.leaf_hash(entry))
        compared.take(builder.take())
        progress(builder.size, head.size)
    compared.finish(head.size)
    if builder.root() != head.root:
        raise AlteredError(f"the entries do not lead to the checkpoint's root at size {head.size}")
    _check_other_notes(public, head.size, key)
    return Report(head.origin, head.size, head.root, counted, compared.compared, key is not None)


def _head(note: bytes, key: VerifierKey | None, path: str) -> Checkpoint:
    try:
        return checkpoints.parse(note)[0] if key is None else quorum.verify_checkpoint(note, log=key).checkpoint
    except EncodingError as error:
        raise AlteredError(f"`{path}` is not a checkpoint: {error.message}") from error


def _entries(public: PublicLog, index: int, width: int) -> list[bytes]:
    data = read_wide(public, tiles.bundle_path(tiles.ENTRIES, index), width)
    try:
        return bundles.decode_entries(data[: width * 34], width)
    except EncodingError as error:
        first = index * TILE_WIDTH + _first_bad_entry(data)
        raise AlteredError(f"entry bundle {index}: {error.message}", index=first) from error


def _first_bad_entry(data: bytes) -> int:
    slot = 0
    while data[slot * 34 : slot * 34 + 2] == b"\x00\x20" and len(data) >= slot * 34 + 34:
        slot += 1
    return slot


def _check_statements(public: PublicLog, index: int, entries: list[bytes], *, expected: bool) -> int:
    try:
        data = read_statement_bundle(public, index, len(entries))
    except NotProvenError:
        if expected:
            raise
        return 0
    except EncodingError as error:
        raise AlteredError(f"statement bundle {index}: {error.message}", index=index * TILE_WIDTH) from error
    at = counted = 0
    for slot, entry in enumerate(entries):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end == at + 2 and not expected:  # expired
            at = end
            continue
        counted += 1
        if sha256(data[at + 2 : end]).digest() != entry or end > len(data):
            number = index * TILE_WIDTH + slot
            raise AlteredError(f"statement {number} is not the one that was logged", index=number)
        at = end
    if at != len(data) and len(entries) == TILE_WIDTH:
        raise AlteredError(f"bytes follow the last statement of bundle {index}")
    return counted


class _Tiles:
    """Compares computed tiles with the files: full ones at once, the partial ones of the right edge at the end."""

    def __init__(self, public: PublicLog) -> None:
        self._public = public
        self._edge: dict[int, tuple[Tile, bytes]] = {}
        self.compared = 0

    def take(self, made: dict[Tile, bytes]) -> None:
        for tile, data in made.items():
            if tile.width < TILE_WIDTH:
                self._edge[tile.level] = (tile, data)
            else:
                self._compare(tile, data)

    def finish(self, size: int) -> None:
        edge = set(tiles.right_edge(size))
        for tile, data in self._edge.values():
            if tile in edge:
                self._compare(tile, data)

    def _compare(self, tile: Tile, data: bytes) -> None:
        found = read_wide(self._public, tile.full_path, tile.width)[: tile.width * 32]
        if found != data:
            raise _altered_tile(tile, data, found)
        self.compared += 1


def _altered_tile(tile: Tile, right: bytes, found: bytes) -> AlteredError:
    slot = next((i for i in range(tile.width) if right[i * 32 : i * 32 + 32] != found[i * 32 : i * 32 + 32]), 0)
    first = (tile.index * TILE_WIDTH + slot) << 8 * tile.level
    return AlteredError(f"tile `{tile.path}` differs from the entries below it at slot {slot}", index=first)


def _check_other_notes(public: PublicLog, size: int, key: VerifierKey | None) -> None:
    for path in _OTHER_NOTES:
        note = public.read(path)
        if note is None:
            continue
        head = _head(note, key, path)
        if head.size > size:
            raise NotProvenError(f"`{path}` is newer than `checkpoint`", hint="the log was set back")
        if head.size and tiles.hash_range(0, head.size, head.size, tile_reader(public, size)) != head.root:
            raise AlteredError(f"`{path}` is not on the tree of `checkpoint`")
