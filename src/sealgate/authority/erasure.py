"""Erases a subject: requested → refused, or planned → executed. Destroys its data keys; every step is a record.

The plan (which keys, which records) is durable before the first key is destroyed, so that the certificate can name
them after a crash: from then on the erasure is finished by the next start. A crash between a record and the stored
state makes the same record twice, with the same facts.

Trusted: the caller's word that the vault has forgotten the subject. Not trusted: the request to know what it may do.
"""

import asyncio
import hashlib
import logging
from base64 import urlsafe_b64encode
from typing import Any, Final, Protocol

import msgspec

from sealgate.authority.drafts import Receipt
from sealgate.authority.recorder import Recorder
from sealgate.encoding import sealed_body
from sealgate.model.erasure import Erasure, ErasureRequest, Facts, State
from sealgate.model.errors import AlteredError, InputError, NotPermittedError
from sealgate.model.evaluation import Identity
from sealgate.model.identifiers import require_uuid
from sealgate.model.records import Kind
from sealgate.model.scopes import SUBJECT_TOKEN, subject_prefix
from sealgate.ports.datakeys import DataKeys
from sealgate.ports.journal import Journal

_LOG = logging.getLogger(__name__)
_DAY_MS: Final = 86_400_000
_MAX_KEY_IDS: Final = 512
_MAX_REASON_CHARS: Final = 1024


class Holds(Protocol):
    """Legal holds, as an erasure asks for them."""

    def covers(self, subject: str) -> str | None:
        """Return why this subject's data must stay (which hold), or None."""


class NoHolds:
    """Where nobody keeps holds."""

    def covers(self, subject: str) -> str | None:
        """Return None."""
        del subject
        return None


class ErasureFiles(Protocol):
    """The durable states of erasures."""

    def load_erasures(self) -> list[bytes]:
        """Return all stored states, in no order."""

    def store_erasure(self, erasure_id: str, state: bytes) -> None:
        """Replace the state of an erasure; durable and atomic on return."""


class Erasures:
    """Erasures of one authority, one at a time. One event loop owns it."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        data_keys: DataKeys,
        journal: Journal,
        files: ErasureFiles,
        holds: Holds,
        backup_days: int,
    ) -> None:
        self._recorder = recorder
        self._data_keys = data_keys
        self._journal = journal
        self._files = files
        self._holds = holds
        self._backup_days = backup_days
        self._lock = asyncio.Lock()
        self._known: dict[str, Erasure] = {}
        self._reapplied = False
        self.executed = 0

    def load(self) -> None:
        """Read the stored states; call once, before anything else.

        Raises:
            AlteredError: one is not what was stored.
        """
        for data in self._files.load_erasures():
            try:
                found = msgspec.json.decode(data, type=Erasure)
            except msgspec.DecodeError as error:
                raise AlteredError(f"a stored erasure cannot be read: {error}", hint="see DATA/erasures") from error
            self._known[found.erasure_id] = found

    async def resume(self) -> int:
        """Finish what was planned before a crash, and destroy again what a restored backup brought back.

        Returns how many erasures were finished.
        """
        if not self._reapplied:
            await asyncio.get_running_loop().run_in_executor(None, self._reapply)
            self._reapplied = True
        planned = [erasure for erasure in self._known.values() if erasure.state is State.PLANNED]
        for erasure in planned:
            async with self._lock:
                await self._finish(erasure)
        return len(planned)

    def status(self, subject: str) -> list[Erasure]:
        """Return the erasures of a subject, those under way last."""
        found = (erasure for erasure in self._known.values() if erasure.subject == subject)
        return sorted(found, key=lambda erasure: erasure.state not in (State.EXECUTED, State.REFUSED))

    async def erase(self, subject: str, request: ErasureRequest, caller: Identity) -> Erasure:
        """Bring the erasure as far as it can go now and return its state.

        Raises:
            InputError: no subject token, no id, or the id was used for something else.
            NotPermittedError: another erasure of this subject is under way.
            UnavailableError: a record, a key or a file could not be written; send the same request again.
        """
        if not SUBJECT_TOKEN.fullmatch(subject):
            raise InputError(f"`{subject[:64]}` is not a subject token", hint="`sealgate subject find` tells it")
        require_uuid(request.erasure_id, "erasure id")
        if len(request.reason) > _MAX_REASON_CHARS:
            raise InputError("the reason is too long", hint=f"use {_MAX_REASON_CHARS} characters at most")
        async with self._lock:
            erasure = self._known.get(request.erasure_id)
            if erasure is None:
                erasure = await self._request(subject, request, caller)
            elif (erasure.subject, erasure.basis) != (subject, request.basis):
                raise InputError("this erasure id was used for another erasure", hint="use a new id for each")
            if erasure.state is State.REQUESTED:
                await self._judge(erasure, request)
            if erasure.state is State.REQUESTED and request.vault != "pending":
                erasure.vault = request.vault
                await self._plan(erasure)
            if erasure.state is State.PLANNED:
                await self._finish(erasure)
            return erasure

    async def _request(self, subject: str, request: ErasureRequest, caller: Identity) -> Erasure:
        other = next((found for found in self.status(subject) if found.state is State.REQUESTED), None)
        if other is not None:
            hint = f"continue `{other.erasure_id}`"
            raise NotPermittedError("an erasure of this subject is under way", code="erasure-under-way", hint=hint)
        for_another = bool(request.requested_by) and "service" in caller.roles
        erasure = Erasure(
            erasure_id=request.erasure_id,
            subject=subject,
            basis=request.basis,
            operator=request.requested_by if for_another else caller.principal,
            proof="internal" if for_another else caller.how,
            state=State.REQUESTED,
            requested_record_id="",
            vault="pending",
        )
        # If we die before the state is stored, the caller asks again and a second record tells the same.
        receipt = await self._record(Kind.ERASURE_REQUESTED, erasure, {})
        erasure.requested_record_id = receipt.record_id
        self._store(erasure)
        return erasure

    async def _judge(self, erasure: Erasure, request: ErasureRequest) -> None:
        hold = self._holds.covers(erasure.subject)
        ground: str | None = "legal-hold" if hold is not None else request.refuse
        if ground is None:
            return
        erasure.ground, erasure.reason = ground, hold or request.reason
        receipt = await self._record(
            Kind.ERASURE_REFUSED, erasure, {"ground": erasure.ground, "reason": erasure.reason}
        )
        erasure.state, erasure.record_id, erasure.index = State.REFUSED, receipt.record_id, receipt.index
        self._store(erasure)

    async def _plan(self, erasure: Erasure) -> None:
        """Write down what will be destroyed. Once this is stored there is no way back."""
        erasure.facts = await asyncio.get_running_loop().run_in_executor(None, self._gather, erasure.subject, None)
        complete_ms = self._recorder.time.now_ms() + self._backup_days * _DAY_MS
        erasure.complete_after = self._recorder.time.text(complete_ms)
        erasure.state = State.PLANNED
        self._store(erasure)

    async def _finish(self, erasure: Erasure) -> None:
        loop = asyncio.get_running_loop()
        facts = await loop.run_in_executor(None, self._gather, erasure.subject, erasure.facts)
        if facts != erasure.facts:  # records of the subject came after the plan
            erasure.facts = facts
            self._store(erasure)
        # If we die after this, the keys are gone and the plan still names them.
        await loop.run_in_executor(None, self._data_keys.destroy_many, [bytes.fromhex(key) for key in facts.key_ids])
        fields = {
            **msgspec.structs.asdict(facts),
            "requested_record_id": erasure.requested_record_id,
            "keys": len(facts.key_ids),
            "key_ids": facts.key_ids[:_MAX_KEY_IDS],
            "vault": erasure.vault,
            "complete_after": erasure.complete_after,
        }
        receipt = await self._record(Kind.ERASURE_EXECUTED, erasure, fields)
        erasure.state, erasure.record_id, erasure.index = State.EXECUTED, receipt.record_id, receipt.index
        self._store(erasure)
        self.executed += 1
        _LOG.info("erasure %s: %d keys destroyed", erasure.erasure_id, len(facts.key_ids))

    def _reapply(self) -> None:
        erased = {
            key_id
            for erasure in self._known.values()
            if erasure.state is State.EXECUTED and erasure.facts is not None
            for key_id in erasure.facts.key_ids
        }
        back = [fact.key_id for fact in self._data_keys.facts("")] if erased else []
        doomed = [key_id for key_id in back if key_id.hex() in erased]
        if doomed:
            _LOG.warning("%d keys of erased subjects were back, from a backup perhaps; destroyed again", len(doomed))
            self._data_keys.destroy_many(doomed)

    def _gather(self, subject: str, before: Facts | None) -> Facts:
        """Return what is to be destroyed, together with what an earlier plan named. Runs in a thread."""
        found = self._data_keys.facts(subject_prefix(subject))
        keys = {fact.key_id.hex() for fact in found}
        if before is not None and keys <= set(before.key_ids):
            return before
        scopes, all_keys = {fact.scope for fact in found}, set(keys)
        if before is not None:
            scopes, all_keys = scopes | set(before.scopes), all_keys | set(before.key_ids)
        return Facts(scopes=sorted(scopes), key_ids=sorted(all_keys), **self._indexes(all_keys))

    def _indexes(self, key_ids: set[str]) -> dict[str, Any]:
        """Return which records were sealed under these keys."""
        wanted = {bytes.fromhex(key_id) for key_id in key_ids}
        digest, count, size = hashlib.sha256(), 0, self._journal.size
        first = last = size
        for index, record in self._journal.read(0, size) if wanted else ():
            if record.sealed_body and sealed_body.key_id_of(record.sealed_body) in wanted:
                digest.update(index.to_bytes(8, "big"))
                first, last, count = min(first, index), index + 1, count + 1
        text = urlsafe_b64encode(digest.digest())[:-1].decode()
        return {"from_index": first, "to_index": last, "records": count, "index_digest": text}

    async def _record(self, kind: Kind, erasure: Erasure, fields: dict[str, Any]) -> Receipt:
        draft = self._recorder.draft(kind)
        named = {"erasure_id": erasure.erasure_id, "subject": erasure.subject, "basis": erasure.basis}
        draft.fields = {**named, **fields}
        operator = {"id": erasure.operator, "principal": erasure.operator, "proof": erasure.proof, "on_behalf_of": []}
        return await self._recorder.record(draft, agent=operator)

    def _store(self, erasure: Erasure) -> None:
        self._files.store_erasure(erasure.erasure_id, msgspec.json.encode(erasure))
        self._known[erasure.erasure_id] = erasure
