"""The log as the authority sees it: ``step`` brings it forward, everything else answers about what is published.

One step, in this order (numbers of research: a crash after each is harmless, see ``recovery``):

2. read the durable records that are not in the tree; 3. compute tiles in memory, write the staging file (sync);
4. sign the checkpoint; 5. compare-and-swap the lock: **commit** (sync); 6. write the public files;
7. publish the checkpoint (sync); 8. forget partial tiles that are full now; 9. every 64 batches settle the public files
and drop the staging files.

A signature made in 4 leaves the process only after 5. Any failure forgets the tree in memory; the next step loads it
anew from disk, which decides what happened. Steps 2, 3, 6, 8 and 9 are the builder's; while much is recorded they are
done in another process, where there is one to do them (ADR 0198).
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from sealgate.ledger.endorsements import Endorsed, Endorsements
from sealgate.ledger.reading import tile_reader
from sealgate.ledger.recovery import CHECKPOINT, Loaded, Stores, load
from sealgate.model.errors import InputError, NotProvenError
from sealgate.ports.building import BuilderLostError, Building, Staged
from sealgate.ports.lock_database import Held
from sealgate.ports.signer import Signer
from sealgate.ports.transparency import ReceiptState
from sealgate.proofs import checkpoints, notes, tiles, transparent
from sealgate.proofs.checkpoints import Checkpoint
from sealgate.proofs.notes import SignatureLine, VerifierKey
from sealgate.proofs.tlog_proof import TlogProof

MAX_BATCH: Final = 16_384
"""Leaves under one new checkpoint at most: bounds memory when the log has to catch up."""

SETTLE_EVERY: Final = 64
SETTLE_LEAVES: Final = 65_536
"""Batches, and leaves in them, whose staging files are kept; also what the next start has to apply again at most."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Who signs and who is believed. ``issuer`` is the authority's URN; ``quorum`` of ``witnesses`` means witnessed."""

    log: Signer
    receipt: Signer
    issuer: str
    witnesses: tuple[VerifierKey, ...] = ()
    quorum: int = 0


class Ledger:
    """A ``ports.transparency.TransparencyLog``: Merkle log over one journal, published as C2SP tlog-tiles.

    The constructor loads and mends; it raises what ``recovery.load`` raises, and then the log must not be served.
    """

    def __init__(
        self,
        origin: str,
        stores: Stores,
        keys: Keys,
        *,
        max_batch: int = MAX_BATCH,
        building: Building | None = None,
    ) -> None:
        self._key = VerifierKey(notes.require_key_name(origin), notes.ED25519, keys.log.public_key)
        self._stores = stores
        self._keys = keys
        self._max_batch = max_batch
        self._building = building
        self._turn = threading.RLock()  # one step or attachment at a time
        self._loaded: Loaded | None = None
        self._unsettled = self._settled = 0  # batches since; size at the last settling
        self._cose: tuple[int, bytes, bytes, bytes] | None = None
        self._head = (b"", 0)  # the published note and its size, replaced as one
        self._endorsements = Endorsements(stores.public, self._key, keys.witnesses, keys.quorum)
        with self._turn:
            self._load()
            self._endorsements.load(self._head[1])

    @property
    def key(self) -> VerifierKey:
        """The key that checkpoints are checked with."""
        return self._key

    # -- forward -----------------------------------------------------------------------------------------------------

    def step(self) -> bool:
        """Sequence the durable records that are not in the tree yet, publish; tell whether there were any.

        Records that become durable meanwhile are the next step's: under load a step would have no end, and put each
        handful of records under a checkpoint of its own.
        """
        moved = False
        with self._turn:
            durable = self._stores.journal.size
            try:
                while self._advance(durable):
                    moved = True
            except BuilderLostError:  # it is begun anew at most once, so this ends
                self._loaded = None
                return self.step() or moved
            except BaseException:
                self._loaded = None  # unknown outcome: only the disk knows
                raise
        return moved

    def _load(self) -> Loaded:
        loaded = load(self._stores, self._key)
        self._loaded, self._unsettled, self._settled = loaded, 0, loaded.held.size
        self._head = (loaded.published, loaded.held.size)
        return loaded

    def _advance(self, durable: int) -> bool:
        loaded = self._loaded or self._load()
        start = loaded.held.size
        stop = min(durable, start + self._max_batch)
        if stop <= start:
            return False
        if loaded.held.closed:
            raise InputError("the log is closed and the journal goes on", hint="append to the successor's journal")
        builder = loaded.builder
        batch = builder.stage(stop)  # 2, 3; dying from here to 5: dropped at the start
        note = self._sign(Checkpoint(self._key.name, batch.size, batch.root))  # 4
        self._stores.lock.advance(loaded.held.body, note, batch.size)  # 5; dying from here on: the start applies it
        builder.write()  # 6
        self._stores.public.replace(CHECKPOINT, note)  # 7
        self._endorsements.published(batch.size, note)
        self._head = (note, batch.size)
        builder.tidy()  # 8
        self._loaded = replace(loaded, held=Held(note, batch.size, closed=False), published=note)
        self._unsettled += 1
        if self._unsettled >= SETTLE_EVERY or batch.size - self._settled >= SETTLE_LEAVES:
            self._settle(batch.size)  # 9
        if self._building is not None and not loaded.elsewhere and self._building.busy(stop - start):
            self._move(self._building, batch)
        return True

    def _move(self, building: Building, batch: Staged) -> None:
        """Have what follows built elsewhere, if somebody can."""
        builder = building.begin(batch.size, batch.root)
        if builder is not None and self._loaded is not None:
            self._settle(batch.size)  # what was written here, nobody there knows of
            self._loaded = replace(self._loaded, builder=builder, elsewhere=True)

    def _sign(self, checkpoint: Checkpoint) -> bytes:
        line = checkpoints.sign_line(self._key, self._keys.log.sign(checkpoint.text.encode()))
        return checkpoints.encode(checkpoint, (line,))

    def _settle(self, size: int) -> None:
        if self._loaded is not None:
            self._loaded.builder.settle(size)
            self._unsettled, self._settled = 0, size

    def close(self) -> None:
        """Settle, so that the next start has nothing to apply again. The stores stay open."""
        with self._turn:
            try:
                self._settle(self._head[1])
            except BuilderLostError:
                self._load()  # it settles
        if self._building is not None:
            self._building.close()

    def close_shard(self, index: int) -> bytes:
        """Make the record at ``index`` the last leaf for good; return the final checkpoint as published.

        Raises:
            InputError: records follow it, or it is not durable.
        """
        with self._turn:
            self.step()
            if self.size() != index + 1:
                raise InputError(
                    f"record {index} is not the last of {self.size()}", hint="stop appending, then close the log"
                )
            loaded = self._loaded or self._load()
            self._stores.lock.freeze(loaded.held.body)
            self._load()
            return self._head[0]

    # -- what is published -------------------------------------------------------------------------------------------

    def size(self) -> int:
        """Return the size of the published tree."""
        return self._head[1]

    def checkpoint(self) -> bytes | None:
        """Return the newest published checkpoint with the cosignatures it has by now, or None before the first."""
        return self._head[0] or None

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the consistency proof between two sizes, ``1 <= old <= new <= size()``."""
        size = self.size()
        if new > size:
            raise NotProvenError(f"size {new} is not published yet")
        return tiles.prove_consistency(old, new, tile_reader(self._stores.public, size))

    def _require_included(self, index: int) -> None:
        if not 0 <= index < self.size():
            raise NotProvenError(f"record {index} is not in the log yet", hint="ask again after the next checkpoint")

    def receipt_state(self, index: int) -> ReceiptState:
        """Return how much is proved about the record at ``index``."""
        if not 0 <= index < self.size():
            return "signed"
        endorsed = self._endorsements.best(index)
        return "included" if endorsed is None else endorsed.state

    def tlog_proof(self, index: int, statement: bytes) -> bytes:
        """Return the C2SP tlog-proof under the checkpoint with the most endorsement that covers the record."""
        published, size = self._head
        self._require_included(index)
        endorsed = self._endorsements.best(index)
        note = published if endorsed is None else endorsed.note
        under, _ = checkpoints.parse(note)
        hashes = tiles.prove_inclusion(index, under.size, tile_reader(self._stores.public, size))
        return TlogProof(index, tuple(hashes), note, statement).encode()

    def transparent_statement(self, index: int, statement: bytes) -> bytes:
        """Return the RFC 9943 transparent statement under the newest checkpoint.

        Raises:
            NotProvenError: not included yet, or alone in the log (RFC 9942 has no receipt for one entry).
        """
        self._require_included(index)
        size, protected, signature = self._receipt_signature()
        if size < 2:
            raise NotProvenError("a log of one entry has no COSE receipt yet", hint="ask again after the next record")
        path = tiles.prove_inclusion(index, size, tile_reader(self._stores.public, size))
        receipt = transparent.encode_receipt(protected, signature, size=size, index=index, path=path)
        return transparent.encode_transparent(statement, [receipt])

    def use_receipt_signer(self, signer: Signer) -> None:
        """Sign COSE receipts from now on with ``signer``; the record that it may was durable before."""
        with self._turn:
            self._keys = replace(self._keys, receipt=signer)
            self._cose = None

    def _receipt_signature(self) -> tuple[int, bytes, bytes]:
        """Return size, header and signature for the published tree: one signature serves every receipt of a size."""
        head, _ = checkpoints.parse(self._head[0])
        signer = self._keys.receipt  # after the head: a signer that is replaced meanwhile signs no later one
        kid, made = signer.key_id, self._cose
        if made is None or made[:2] != (head.size, kid):
            protected = transparent.receipt_protected(
                kid=kid, issuer=self._keys.issuer, origin=head.origin, tree_size=head.size
            )
            signature = signer.sign(transparent.receipt_signing_input(protected, head.root))
            self._cose = made = (head.size, kid, protected, signature)
        return made[0], made[2], made[3]

    # -- witnesses and time ------------------------------------------------------------------------------------------

    def attach_cosignatures(self, size: int, lines: Sequence[SignatureLine]) -> bool:
        """Add witnesses' lines to the checkpoint of ``size``; tell whether it has its quorum now.

        Lines of unknown keys are left out. A checkpoint with its quorum becomes ``checkpoint.witnessed``; while it is
        the newest, it is republished as ``checkpoint`` too.

        Raises:
            InputError: the checkpoint is too old to be remembered, or was never published.
            AlteredError: a line of a known witness does not verify; nothing is added.
        """
        with self._turn:
            note, reached = self._endorsements.cosign(size, lines)
            if size == self.size() and note != self._head[0]:
                self._stores.public.replace(CHECKPOINT, note)
                self._head = (note, size)
            return reached

    def attach_timestamp(self, size: int, response: bytes) -> None:
        """Keep the RFC 3161 response over the checkpoint of ``size`` (verified by the caller over its note text).

        Stored as ``timestamps/<size>.tsr``; the checkpoint it covers becomes ``checkpoint.timestamped``.

        Raises:
            InputError: the checkpoint is too old to be remembered, or was never published.
        """
        with self._turn:
            self._endorsements.timestamp(size, response)

    def endorsed(self, index: int) -> Endorsed | None:
        """Return the checkpoint with the most endorsement that covers ``index``, or None where there is none."""
        return self._endorsements.best(index)
