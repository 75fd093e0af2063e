"""Makes the public files of a log anew from its journal. Nothing is signed: it must be what the lock holds.

The records are hashed once before anything is written. Only where they lead to the root that the lock database holds,
files are written, and the checkpoint last: a directory without it is no log, so an interrupted run cannot pass for a
whole one. What only the public files had does not come back: cosignatures and timestamps of the past, entries of
statements that have expired.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sealgate.ledger.recovery import CHECKPOINT, Stores, committed, compare_published, require_journal
from sealgate.ledger.sequencer import Batch, Sequencer
from sealgate.model.errors import AlteredError, InputError, NotProvenError
from sealgate.model.limits import TILE_WIDTH
from sealgate.ports.journal import Journal
from sealgate.proofs import tiles
from sealgate.proofs.notes import VerifierKey
from sealgate.proofs.tiles import TileBuilder

_BATCH = 16_384
"""Leaves hashed at a time; a multiple of 256, so that every batch but the last ends in full bundles."""

Progress = Callable[[int, int], None]
"""Called with (records done, records in all); each record counts once for hashing and once for writing."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What stands there now."""

    origin: str
    size: int
    root: bytes
    files: int


def rebuild(stores: Stores, key: VerifierKey, *, progress: Progress = lambda _done, _all: None) -> Rebuilt:
    """Write every public file that the lock's checkpoint covers, then that checkpoint; files that are right stay right.

    Only for a log that nobody serves meanwhile. If we die anywhere in here, run it again.

    Raises:
        InputError: nothing was ever published.
        ForkError: lock, published checkpoint and journal are not of one history; nothing was written.
        AlteredError: the journal does not lead to the signed root; nothing was written.
        NotProvenError: statements have expired, so their entries are lost; nothing was written.
    """
    held, head = committed(stores.lock, key)
    if not head.size:
        raise InputError("nothing was published yet", hint="`sealgate serve` publishes the first checkpoint")
    compare_published(stores.public.read(CHECKPOINT), key, head)
    require_journal(stores.journal, head)
    root = b""
    for batch in _batches(stores.journal, head.size):
        progress(batch.size, 2 * head.size)
        root = batch.root
    if root != head.root:
        raise AlteredError(
            f"the journal's first {head.size} records do not lead to the signed root; nothing was written",
            hint="restore the journal from a replica, or continue under a new origin",
        )
    edge = {tile.path for tile in tiles.right_edge(head.size)} | set(_partial_bundles(head.size))
    files = 0
    for batch in _batches(stores.journal, head.size):
        for path, data in batch.files.items():
            if ".p/" not in path or path in edge:
                stores.public.restore(path, data)
                files += 1
        progress(head.size + batch.size, 2 * head.size)
    stores.public.settle()
    stores.public.replace(CHECKPOINT, held.body)
    return Rebuilt(head.origin, head.size, head.root, files + 1)


def _batches(journal: Journal, size: int) -> Iterator[Batch]:
    sequencer = Sequencer(TileBuilder(), ())
    for start in range(0, size, _BATCH):
        statements = journal.statements(start, min(start + _BATCH, size))
        if b"" in statements:
            index = start + statements.index(b"")
            raise NotProvenError(
                f"the statement of record {index} has expired: its entry was only in the public files",
                hint="restore the log's directory from a copy, or continue under a new origin",
            )
        yield sequencer.extend(statements)


def _partial_bundles(size: int) -> Iterator[str]:
    for index, width in tiles.bundles_of(size // TILE_WIDTH * TILE_WIDTH, size):
        yield from (tiles.bundle_path(kind, index, width) for kind in (tiles.ENTRIES, tiles.STATEMENTS))
