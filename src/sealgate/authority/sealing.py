"""Signs, seals and appends finished bodies, in the order in which they were submitted.

A record is signed here and appended at once, unless more are on their way to the disk: then all that one turn of the
loop submits waits for its end, and is signed together, elsewhere if that is worth it (ports.signing). While a group is
away later records wait behind it, so nothing overtakes. Where nobody signs elsewhere, or not in time, the group is
signed here.

A group goes through the steps together: all its records through one before any goes through the next. The same code
for many records on end is faster than all code for each, because the processor still has it at hand (ADR 0197).

Sealing stays here: a data key that is destroyed is then in nobody else's memory.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from sealgate.authority.drafts import Draft, Entropy, Receipt
from sealgate.encoding import sealed_body, statement
from sealgate.model.errors import JournalError, SealgateError, UnavailableError
from sealgate.ports.datakeys import DataKeys
from sealgate.ports.journal import Journal, JournalRecord
from sealgate.ports.signer import Signer
from sealgate.ports.signing import Signing

_LOG = logging.getLogger(__name__)
Done = Callable[[Receipt | UnavailableError], None]
"""Called once for each record: when it is durable, or when it never will be."""

MAX_GROUP: Final = 256
"""Records that go through the steps together."""

FEW: Final = 4
"""While fewer are on their way, waiting for the end of the turn costs more than it brings."""


class Sealing:
    """Owns sequence numbers and the way from a body to the journal. All methods run on the event loop's thread.

    ``lost`` is told of each record that was given a sequence number and is not durable.
    """

    def __init__(
        self,
        *,
        origin: str,
        authority_id: str,
        epoch: bytes,
        journal: Journal,
        signer: Signer,
        signing: Signing | None,
        data_keys: DataKeys,
        entropy: Entropy,
        lost: Callable[[str, int], None],
    ) -> None:
        self._origin = origin
        self._issuer = f"urn:sealgate:authority:{authority_id}"
        self._epoch = epoch
        self._journal = journal
        self._signing = signing
        self._data_keys = data_keys
        self._entropy = entropy
        self.lost = lost
        self.seq = 0
        """The next record's sequence number."""
        self.recorded = 0
        self.under_way = 0
        self._waiting: list[Pending] = []
        self._away: Sequence[Pending] = ()
        """The group that is signed or appended now; what is submitted meanwhile waits."""
        self.use_signer(signer)

    def use_signer(self, signer: Signer) -> None:
        """Sign what is submitted from now on with ``signer``; all before is signed by its predecessor, now."""
        self.flush()
        self.signer = signer
        self._claims = statement.ClaimsEncoder(kid=signer.key_id, iss=self._issuer, epoch=self._epoch)
        if self._signing is not None:
            self._signing.use(signer)

    def submit(
        self,
        draft: Draft,
        body: bytes,
        commitment: bytes,
        done: Done,
        *,
        subject: str,
        scope: str,
        alone: bool = False,
        compressed: bytes | None = None,
    ) -> None:
        """Give a record the next sequence number and append it, sooner or later; ``done`` is called exactly once.

        ``compressed`` is sealed in place of ``body`` where it is given. ``alone`` as in ``Journal.append``.
        """
        seq = self.seq
        self.seq = seq + 1
        protected = self._claims.protected(sub=subject, iat=draft.unix_ms // 1000, seq=seq)
        behind = bool(self._waiting or self._away)
        alone = alone and not behind
        record = Pending(self, draft, body, commitment, done, scope, seq, protected, compressed, alone)
        self.under_way += 1
        if behind:
            self._waiting.append(record)
        elif alone or self.under_way < FEW:
            self._append((record,), None)
        else:
            self._waiting.append(record)
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        """Have signed elsewhere what has gathered, or sign it here."""
        while self._waiting and not self._away:
            group = self._away = self._waiting[:MAX_GROUP]
            del self._waiting[:MAX_GROUP]
            signing = self._signing
            if signing is not None and signing.busy(len(group)):
                inputs = [statement.signing_input(record.protected, record.commitment) for record in group]
                if signing.ask(inputs, self._answered):
                    return
            self._append(group, None)
            self._away = ()

    def _answered(self, signatures: Sequence[bytes] | None) -> None:
        self._append(self._away, signatures)
        self._away = ()
        self._next()

    def _append(self, group: Sequence["Pending"], signatures: Sequence[bytes] | None) -> None:
        """Append a group, also where one record fails; what its callers submit meanwhile comes behind it."""
        if signatures is None:
            self._each(group, self._sign)
        else:
            for record, signature in zip(group, signatures, strict=True):
                record.signature = signature
        self._each(group, self._assemble)
        self._each(group, self._seal)
        self._each(group, self._hand_over)

    def _each(self, group: Sequence["Pending"], step: Callable[["Pending"], None]) -> None:
        for record in group:
            if record.told:  # it failed at a step before
                continue
            try:
                step(record)
            except SealgateError as error:
                record.failed(error)
            except Exception as error:  # noqa: BLE001  # a fault of ours; what comes behind must not wait for it
                _LOG.exception("a fault at record %s", record.draft.record_id)
                if not record.told:
                    record.failed(UnavailableError(f"the record could not be made: {error}"))

    def _sign(self, record: "Pending") -> None:
        record.signature = self.signer.sign(statement.signing_input(record.protected, record.commitment))

    def _assemble(self, record: "Pending") -> None:
        record.signed = signed = statement.assemble(record.protected, record.commitment, record.signature)
        record.aad = sealed_body.associated_data(self._origin, statement.entry_of(signed))

    def _seal(self, record: "Pending") -> None:
        key = self._data_keys.current(record.scope, record.draft.unix_ms)
        nonce = self._entropy(sealed_body.NONCE_BYTES)
        if record.compressed is None:
            record.sealed = sealed_body.seal(key.cipher, key.key_id, nonce, record.body, record.aad)
        else:
            record.sealed = sealed_body.seal_compressed(key.cipher, key.key_id, nonce, record.compressed, record.aad)

    def _hand_over(self, record: "Pending") -> None:
        self._journal.append(JournalRecord(record.signed, record.sealed), record.completed, alone=record.alone)

    def flush(self) -> None:
        """Sign here, now, whatever waits or is away, and append it."""
        if self._away and self._signing is not None:
            self._signing.abandon()
        while self._away or self._waiting:
            group = self._away = [*self._away, *self._waiting]
            self._waiting = []
            self._append(group, None)
            self._away = ()

    def close(self) -> None:
        """Flush, and let nobody sign elsewhere any more. Idempotent; records can still be made."""
        self.flush()
        if self._signing is not None:
            self._signing.close()
            self._signing = None


class Pending(msgspec.Struct):
    """A record on its way to the disk."""

    sealing: Sealing
    draft: Draft
    body: bytes
    commitment: bytes
    done: Done
    scope: str
    seq: int
    protected: bytes
    compressed: bytes | None
    alone: bool
    signature: bytes = b""
    signed: bytes = b""
    aad: bytes = b""
    sealed: bytes = b""
    told: bool = False

    def completed(self, result: int | JournalError) -> None:
        """Take in what became of it in the journal."""
        sealing = self.sealing
        if isinstance(result, JournalError):
            self.failed(result)
            return
        self.told = True
        sealing.under_way -= 1
        sealing.recorded += 1
        self.done(Receipt(self.draft.record_id, result, self.signed, self.body))

    def failed(self, error: SealgateError) -> None:
        """It will never be durable: its number is missed."""
        sealing = self.sealing
        self.told = True
        sealing.under_way -= 1
        if not isinstance(error, UnavailableError):
            error = UnavailableError(error.message, hint=error.hint)
        sealing.lost(error.message, self.seq)
        self.done(error)
