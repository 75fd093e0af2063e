"""Turns statements into the next state of the tree: tiles, bundles, root. In memory only; nothing is written here.

What is kept between batches is the right edge: the unfinished tile of each level and the statements of the unfinished
bundle, at most about 130 KiB whatever the log's size, so a batch costs the same at ten million entries as at ten.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from sealgate.model.limits import TILE_WIDTH
from sealgate.proofs import bundles, tiles
from sealgate.proofs.tiles import TileBuilder

_BREATH: Final = 128
"""Leaves hashed between two offers of the interpreter to other threads: about 0.3 ms."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The public files that bring the log to ``size``; ``full`` names those that complete a tile or bundle."""

    size: int
    root: bytes
    files: dict[str, bytes]

    @property
    def full(self) -> list[str]:
        """Paths of full tiles and bundles: partial ones of the same place are no longer needed."""
        return full_paths(self.files)


def full_paths(files: dict[str, bytes]) -> list[str]:
    """Return the paths among ``files`` that are not partial."""
    return [path for path in files if ".p/" not in path]


class Sequencer:
    """The tree's right edge. One thread at a time. After a batch that was not committed, load a new one."""

    def __init__(self, builder: TileBuilder, unfinished: Sequence[bytes]) -> None:
        """Take a loaded builder and the statements of the unfinished bundle."""
        self._builder = builder
        self._statements = list(unfinished)
        self._entries = [sha256(statement).digest() for statement in unfinished]

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._builder.size

    def root(self) -> bytes:
        """Return the tree's root."""
        return self._builder.root()

    def extend(self, statements: Sequence[bytes]) -> Batch:
        """Append the statements and return everything that is new; there is at least one."""
        builder = self._builder
        first = builder.size // TILE_WIDTH
        append = builder.append
        fresh: list[bytes] = []
        for start in range(0, len(statements), _BREATH):
            part = [sha256(statement).digest() for statement in statements[start : start + _BREATH]]
            for entry in part:
                append(sha256(b"\x00" + entry).digest())
            fresh += part
            time.sleep(0)  # the gate's thread may run now; a long batch must not delay a decision
        entries = self._entries + fresh
        stored = self._statements + list(statements)
        files = {tile.path: data for tile, data in builder.take().items()}
        for number, at in enumerate(range(0, len(entries), TILE_WIDTH), first):
            chunk = entries[at : at + TILE_WIDTH]
            entries_path = tiles.bundle_path(tiles.ENTRIES, number, len(chunk))
            files[entries_path] = bundles.encode_entries(chunk)
            statements_path = tiles.bundle_path(tiles.STATEMENTS, number, len(chunk))
            files[statements_path] = bundles.encode_statements(stored[at : at + TILE_WIDTH])
        kept = len(entries) - builder.size % TILE_WIDTH
        self._entries, self._statements = entries[kept:], stored[kept:]
        return Batch(builder.size, builder.root(), files)
