"""The start: which history is ours, and is it whole? Every committed batch goes through ``apply``, also in good times.

Rules, in order (numbers are used below):

1. The lock says which checkpoint is the newest ever signed. Its signature must be ours.
2. A published checkpoint that is newer than the lock, or has another root at the same size, is a second history:
   refuse. The lock was restored from a backup, or the directory belongs to another log.
3. Staged batches up to the lock's size were committed: apply them again, which changes nothing where they were applied.
   Later ones stay: a lock whose commit failed may still turn out, after the next crash, to have committed. They are
   dropped when a later batch is settled.
4. The right edge must lead to the signed root, and the published checkpoint must lie on the same tree.
5. The journal must hold every signed leaf, and its statements must be those of the right edge.
6. Publish the lock's checkpoint if that was what the crash prevented.
"""

from dataclasses import dataclass
from hashlib import sha256

from sealgate.ledger import staging as staged
from sealgate.ledger.building import FileBuilder, Statements, apply, remove_replaced, settle
from sealgate.ledger.reading import tile_reader
from sealgate.ledger.sequencer import Sequencer
from sealgate.model.errors import AlteredError, EncodingError, ForkError, NotProvenError
from sealgate.model.limits import TILE_WIDTH
from sealgate.ports.building import Builder
from sealgate.ports.journal import Journal
from sealgate.ports.lock_database import Held, LockDatabase
from sealgate.ports.public_log import PublicLog, Staging
from sealgate.proofs import quorum, tiles, tree
from sealgate.proofs.checkpoints import Checkpoint
from sealgate.proofs.notes import VerifierKey
from sealgate.proofs.tiles import TileBuilder

CHECKPOINT = "checkpoint"
_COMPARE = "keep copies of the log's directory and its lock, ask your witnesses which head they saw; then a new origin"


@dataclass(frozen=True, slots=True)
class Stores:
    """Where one log lives."""

    journal: Journal
    public: PublicLog
    staging: Staging
    lock: LockDatabase


@dataclass(frozen=True, slots=True)
class Loaded:
    """A log ready for its next batch: what the lock holds, what is published, who builds from there."""

    held: Held
    published: bytes
    builder: Builder
    elsewhere: bool = False


def load(stores: Stores, key: VerifierKey) -> Loaded:
    """Return the log's state after mending what a crash left.

    Raises:
        ForkError: there are two histories (rules 2 and 4). Nothing may be signed.
        AlteredError: files or the journal do not hold what was signed.
        UnavailableError: storage failed; try again.
    """
    held, head = committed(stores.lock, key)  # 1
    published = stores.public.read(CHECKPOINT)
    old = compare_published(published, key, head)  # 2
    replayed = _replay(stores, head)  # 3
    require_journal(stores.journal, head)
    sequencer = edge(stores.journal.statements, stores.public, head.size, head.root)  # 4, 5
    _require_ancestor(stores.public, old, head)
    if old is None or old.size < head.size:  # 6
        published = held.body
        if held.body:
            stores.public.replace(CHECKPOINT, held.body)
    for files in replayed.values():
        remove_replaced(stores.public, files)
    settle(stores.public, stores.staging, head.size)
    builder = FileBuilder(stores.journal.statements, stores.public, stores.staging, sequencer)
    return Loaded(held, published or b"", builder)


def committed(lock: LockDatabase, key: VerifierKey) -> tuple[Held, Checkpoint]:
    """Return what the lock holds, and the newest checkpoint ever signed out of it (rule 1).

    Raises:
        AlteredError: it is not ours, or the lock contradicts itself.
    """
    held = lock.read()
    head = _verified(held.body, key, "lock database") if held.body else Checkpoint(key.name, 0, tree.EMPTY_ROOT)
    if head.size != held.size:
        raise AlteredError("the lock database contradicts itself about the log's size")
    return held, head


def _verified(note: bytes, key: VerifierKey, where: str) -> Checkpoint:
    try:
        return quorum.verify_checkpoint(note, log=key).checkpoint
    except (EncodingError, NotProvenError, AlteredError) as error:
        raise AlteredError(f"the checkpoint in the {where} is not ours: {error.message}", hint=_COMPARE) from error


def compare_published(note: bytes | None, key: VerifierKey, head: Checkpoint) -> Checkpoint | None:
    """Return the published checkpoint, unless it tells of a second history (rule 2); None where there is none.

    Raises:
        ForkError: it is newer than the lock, or of another root.
        AlteredError: it is not ours.
    """
    if note is None:
        return None
    checkpoint = _verified(note, key, "public directory")
    if checkpoint.size > head.size:
        raise ForkError(
            f"the published checkpoint has size {checkpoint.size}, the lock knows only {head.size}: "
            "the lock database was set back",
            hint=_COMPARE,
        )
    if checkpoint.size == head.size and checkpoint.root != head.root:
        raise ForkError(f"two roots were signed for size {head.size}", hint=_COMPARE)
    return checkpoint


def _replay(stores: Stores, head: Checkpoint) -> dict[int, dict[str, bytes]]:
    """Apply the committed batches among the staged ones, oldest first; return their files by size."""
    batches: dict[int, dict[str, bytes]] = {}
    for name in stores.staging.names():
        parsed = staged.parse_name(name)
        if parsed is None or parsed[0] > head.size or (parsed[0] == head.size and parsed[1] != head.root):
            continue  # not committed, as far as the lock knows now
        batches[parsed[0]] = staged.decode(stores.staging.get(name))
    for size in sorted(batches):
        apply(stores.public, batches[size], again=True)
    return batches


def require_journal(journal: Journal, head: Checkpoint) -> None:
    """Refuse a journal that has fewer records than were signed (rule 5). Raises ForkError."""
    if journal.size < head.size:
        raise ForkError(
            f"the journal has {journal.size} records, {head.size} are signed: the journal was set back",
            hint=_COMPARE,
        )


def edge(read: Statements, public: PublicLog, size: int, root: bytes) -> Sequencer:
    """Return the right edge of the published tree of this size and root (rules 4 and 5).

    Raises:
        AlteredError: the public files do not lead to the root, or the journal holds other records than were signed.
    """
    try:
        builder = TileBuilder.load(size, tile_reader(public, size))
        found = builder.root()
    except NotProvenError as error:
        raise AlteredError(
            f"the log's files are not those of its lock: {error.message}",
            hint="files are lost, or an older copy was restored: `sealgate log rebuild` makes them from the journal",
        ) from error
    if found != root:
        raise AlteredError(f"the tiles at size {size} do not lead to the signed root", hint="run `log fsck`")
    start = max(0, size - 1) // TILE_WIDTH * TILE_WIDTH
    statements = read(start, size)
    _compare(public, statements, start, size)
    return Sequencer(builder, statements if size % TILE_WIDTH else ())


def _compare(public: PublicLog, statements: list[bytes], start: int, size: int) -> None:
    if not statements:
        return
    data = tile_reader(public, size)(0, start // TILE_WIDTH, len(statements))
    for slot, statement in enumerate(statements):
        leaf = tree.leaf_hash(sha256(statement).digest())
        if data[slot * 32 : slot * 32 + 32] != leaf:
            raise AlteredError(
                f"journal record {start + slot} is not the one that was signed", index=start + slot, hint=_COMPARE
            )


def _require_ancestor(public: PublicLog, old: Checkpoint | None, head: Checkpoint) -> None:
    if old is None or not 0 < old.size < head.size:
        return
    try:
        root = tiles.hash_range(0, old.size, old.size, tile_reader(public, head.size))
    except NotProvenError as error:
        raise AlteredError(f"the log's files are incomplete: {error.message}", hint="run `log fsck`") from error
    if root != old.root:
        raise ForkError(f"the published checkpoint of size {old.size} is of another history", hint=_COMPARE)
