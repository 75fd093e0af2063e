"""Gives receipts out: the statement, how much is proved by now, the proof, and the body to those who may see it."""

import base64
from typing import Any

from sealgate.authority.reader import Reader, StoredRecord
from sealgate.model.errors import NotPermittedError
from sealgate.model.evaluation import Identity
from sealgate.model.identifiers import require_uuid
from sealgate.ports.signer import Signer
from sealgate.ports.transparency import TransparencyLog


class Receipts:
    """Looks receipts up by record id."""

    def __init__(self, *, reader: Reader, log: TransparencyLog) -> None:
        self._reader = reader
        self._log = log

    def receipt(self, record_id: str, caller: Identity) -> dict[str, Any]:
        """Return the receipt as JSON.

        Raises:
            NotPermittedError: there is no such record, or the caller may not see it (the same answer for both).
        """
        stored = self._find(record_id, caller)
        state = self._log.receipt_state(stored.index)
        proof = None if state == "signed" else self._log.tlog_proof(stored.index, stored.statement).decode()
        return {
            "record_id": record_id,
            "index": stored.index,
            "state": state,
            "statement": base64.b64encode(stored.statement).decode(),
            "tlog_proof": proof,
            "body": stored.body.decode() if stored.body is not None else None,
        }

    def transparent_statement(self, record_id: str, caller: Identity) -> bytes:
        """Return the RFC 9943 transparent statement.

        Raises:
            NotProvenError: the record is not included yet.
            NotPermittedError: as for ``receipt``.
        """
        stored = self._find(record_id, caller)
        return self._log.transparent_statement(stored.index, stored.statement)

    def use_signer(self, signer: Signer) -> None:
        """Sign transparent statements from now on with ``signer`` (a rotation was recorded before)."""
        self._log.use_receipt_signer(signer)

    def _find(self, record_id: str, caller: Identity) -> StoredRecord:
        stored = self._reader.find(require_uuid(record_id, "record id"))
        if stored is None or not _may_read(stored, caller):
            raise NotPermittedError(
                f"no record `{record_id}` is visible to `{caller.principal}`",
                code="record-unknown",
                hint="check the id; records of other agents need the role `read`",
            )
        return stored


def _may_read(stored: StoredRecord, caller: Identity) -> bool:
    if "read" in caller.roles:
        return True
    body = stored.content()
    agent = body.get("agent") if body else None
    return isinstance(agent, dict) and caller.speaks_for(agent["id"])
