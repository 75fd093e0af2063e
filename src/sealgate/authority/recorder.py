"""Makes records: one canonical body, which ``sealing`` signs, seals and appends.

``record`` returns a future that is done when the record is on stable storage. When the journal or the clock fails the
future fails, nothing else is tried, and what was missed is counted; the first record after healing is a
``capture.gap`` that names the missing sequence numbers.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sealgate.authority.drafts import Draft, Entropy, EntropyPool, Place, Receipt
from sealgate.authority.missed import Missed
from sealgate.authority.sealing import Done, Sealing
from sealgate.authority.timekeeping import Timekeeper
from sealgate.encoding import base64url, canonical
from sealgate.model.errors import UnavailableError
from sealgate.model.identifiers import uuid7_number, uuid_text
from sealgate.model.limits import SALT_BYTES
from sealgate.model.records import Kind
from sealgate.model.scopes import DEFAULT_TENANT, Scope
from sealgate.ports.datakeys import DataKeys
from sealgate.ports.journal import Journal
from sealgate.ports.signer import Signer
from sealgate.ports.signing import Signing
from sealgate.retention.classes import Classes, Facts

_AUTHORITY_SUBJECT: Final = "urn:sealgate:authority"
_MAX_PSEUDONYMS: Final = 100_000
_MAX_SCOPES: Final = 100_000


class Recorder:
    """The only writer of records. All methods run on the event loop's thread."""

    def __init__(
        self,
        *,
        place: Place,
        journal: Journal,
        signer: Signer,
        data_keys: DataKeys,
        time: Timekeeper,
        entropy: Entropy | None = None,
        classes: Classes | None = None,
        signing: Signing | None = None,
    ) -> None:
        self.place = place
        self._classes = classes
        self._classified: dict[tuple[str, str | None, str | None, str | None], str] = {}
        self.time = time
        self.entropy = entropy = entropy or EntropyPool().take
        self._journal = journal
        epoch = entropy(16)
        self._epoch_hex = epoch.hex()
        self._last_id = 0
        self._pseudonyms: dict[str, str] = {}
        self._scope = Scope(DEFAULT_TENANT, None, place.retention_class).text
        self._scopes: dict[tuple[str | None, str | None], str] = {}
        self.missed: Missed | None = None
        self._sealing = Sealing(
            origin=place.origin,
            authority_id=place.authority_id,
            epoch=epoch,
            journal=journal,
            signer=signer,
            signing=signing,
            data_keys=data_keys,
            entropy=entropy,
            lost=self.note_missed,
        )

    @property
    def recorded(self) -> int:
        """How many records are durable since the start."""
        return self._sealing.recorded

    def use_signer(self, signer: Signer) -> None:
        """Sign from now on with ``signer`` (a rotation was recorded before)."""
        self._sealing.use_signer(signer)

    def close(self) -> None:
        """Give all that was submitted to the journal, and have nobody else sign any more. Idempotent."""
        self._sealing.close()

    def resume_after(self, record_id: str) -> None:
        """Give only ids that are greater than the newest one in the journal."""
        self._last_id = max(self._last_id, int(record_id.replace("-", ""), 16))

    def draft(self, kind: Kind) -> Draft:
        """Return a new draft with its time, id and salt.

        Ids grow strictly in the order of drafts, so that a record can be found by bisecting the journal.

        Raises:
            UnavailableError: the clock went back too far; counted as missed.
        """
        try:
            now = self.time.now_ms()
        except UnavailableError as error:
            self.note_missed(error.message)
            raise
        random = self.entropy(10 + SALT_BYTES)
        number = uuid7_number(now, random[:10])
        if number <= self._last_id:  # the same millisecond: count up, as RFC 9562 section 6.2 allows
            number = self._last_id + 1 + random[0]
        self._last_id = number
        return Draft(kind, uuid_text(number), number.to_bytes(16, "big"), now, random[10:])

    def record(
        self,
        draft: Draft,
        *,
        agent: dict[str, Any] | None = None,
        trace: dict[str, Any] | None = None,
        task_id: str | None = None,
        request_id: str | None = None,
        retention_class: str | None = None,
        subject: str | None = None,
        own: bool = False,
    ) -> asyncio.Future[Receipt]:
        """Write the draft's record; the future is done when it is durable, or has the error when it never will be.

        ``retention_class`` is the place's unless given. With a ``subject`` (a subject token) the body is sealed under
        a key of this subject alone, so that erasing the subject erases it. ``own``: the statement speaks of the
        authority itself, whoever asked for it; verifiers believe nobody else about keys.

        Raises:
            EncodingError: a field is outside the record profile; nothing was written and no number was used.
        """
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        content = self._content(draft, agent, trace, task_id, request_id)
        scope = self._scope
        if retention_class is None and self._classes is not None:
            retention_class = self._class_of(self._classes, draft, agent)
        if retention_class is not None or subject is not None:
            scope = self._scope_of(subject, retention_class)
            content["retention_class"] = retention_class or self.place.retention_class
        self._seal(canonical.encode(content), draft, None if own else agent, partial(_resolve, future), scope)
        return future

    def submit(
        self,
        draft: Draft,
        done: Done,
        *,
        agent: dict[str, Any],
        trace: dict[str, Any] | None,
        task_id: str | None,
        request_id: str | None,
        alone: bool,
        retention_class: str | None = None,
        subject: str | None = None,
    ) -> None:
        """Do what ``record`` does for a decision, whose members our own code wrote; ``done`` is called exactly once.

        ``alone``: no other decision is under way; ``done`` may then be called before this returns.

        Raises:
            EncodingError: the body is too long or has a lone surrogate; nothing was written, ``done`` is not called.
        """
        content = self._content(draft, agent, trace, task_id, request_id)
        scope = self._scope
        if retention_class is None and self._classes is not None:
            retention_class = self._class_of(self._classes, draft, agent)
        if retention_class is not None or subject is not None:
            scope = self._scope_of(subject, retention_class)
            content["retention_class"] = retention_class or self.place.retention_class
        self._seal(canonical.encode_own(content), draft, agent, done, scope, alone=alone)

    def _scope_of(self, subject: str | None, retention_class: str | None) -> str:
        scope = self._scopes.get((subject, retention_class))
        if scope is None:
            if len(self._scopes) >= _MAX_SCOPES:
                self._scopes.clear()
            scope = Scope(DEFAULT_TENANT, subject, retention_class or self.place.retention_class).text
            self._scopes[subject, retention_class] = scope
        return scope

    def _class_of(self, classes: Classes, draft: Draft, agent: dict[str, Any] | None) -> str:
        """Return the class that the rules give a record; remembered, as few combinations occur."""
        data, tool = draft.fields.get("data"), draft.fields.get("tool")
        classification = data["classification"] if data else None
        who, what = agent["id"] if agent else None, tool["name"] if tool else None
        combination = (draft.kind._value_, classification, who, what)
        known = self._classified.get(combination)
        if known is None:
            if len(self._classified) >= _MAX_SCOPES:
                self._classified.clear()
            place = self.place
            facts = Facts(draft.kind.value, classification, place.regime, place.region, who, what)
            known = self._classified[combination] = classes.classify(facts)
        return known

    def _content(
        self,
        draft: Draft,
        agent: dict[str, Any] | None,
        trace: dict[str, Any] | None,
        task_id: str | None,
        request_id: str | None,
    ) -> dict[str, Any]:
        return {
            "kind": draft.kind._value_,
            "record_id": draft.record_id,
            "time": self.time.text(draft.unix_ms),
            "salt": base64url.encode(draft.salt),
            "producer": {"epoch": self._epoch_hex, "seq": self._sealing.seq},
            "agent": agent,
            "trace": trace,
            "task_id": task_id,
            "request_id": request_id,
            "region": self.place.region,
            "environment": self.place.environment,
            "retention_class": self.place.retention_class,
            **draft.fields,
        }

    def _seal(
        self,
        body: bytes,
        draft: Draft,
        agent: dict[str, Any] | None,
        done: Done,
        scope: str,
        *,
        alone: bool = False,
    ) -> None:
        """Give finished body bytes to be signed, sealed and appended."""
        subject = self._subject(agent["id"]) if agent else _AUTHORITY_SUBJECT
        self._sealing.submit(draft, body, canonical.sha256(body), done, subject=subject, scope=scope, alone=alone)

    def record_batch(
        self,
        draft: Draft,
        finish: Callable[[dict[str, Any]], tuple[bytes, bytes]],
        *,
        agent: str | None,
        scope: str,
    ) -> asyncio.Future[Receipt]:
        """Write a batch's record, whose body was begun elsewhere; the future is as ``record``'s, its body left out.

        ``finish`` takes the members that come behind ``items`` and returns commitment and compressed body.
        """
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        content = self._content(draft, None, None, None, None)
        rest = {name: value for name, value in content.items() if name > "items"}
        commitment, compressed = finish(rest)
        subject = self._subject(agent) if agent else _AUTHORITY_SUBJECT
        done: Done = partial(_resolve, future)
        self._sealing.submit(draft, b"", commitment, done, subject=subject, scope=scope, compressed=compressed)
        return future

    @property
    def failure(self) -> str | None:
        """Why nothing can be recorded now, or None."""
        return self._journal.failure

    def note_missed(self, reason: str, seq: int | None = None) -> None:
        """Count one request that could not be recorded, with the sequence number it used, if any."""
        if self.missed is None:
            self.missed = Missed(reason, self.time.text(self.time.last_ms))
        self.missed.note(seq)

    def heal(self) -> asyncio.Future[Receipt] | None:
        """After a failure: try to record again, and record the gap. Blocks while the journal opens its new segment.

        Returns the future of the gap record, or None when nothing was missed.

        Raises:
            UnavailableError: the cause persists; call again later.
        """
        if self._journal.failure is not None:
            self._journal.heal()
        missed = self.missed
        if missed is None:
            return None
        self.missed = None
        try:
            draft = self.draft(Kind.CAPTURE_GAP)
        except UnavailableError:
            self.missed = missed  # without this attempt, which nobody asked for
            raise
        draft.fields = missed.members(self._epoch_hex)
        future = self.record(draft)
        future.add_done_callback(lambda done: self._gap_done(done, missed))
        return future

    def _gap_done(self, done: asyncio.Future[Receipt], missed: Missed) -> None:
        """If the gap record itself was lost, its numbers join the old ones and the next heal tells both."""
        if done.cancelled() or done.exception() is None:
            return
        newer = self.missed
        self.missed = missed
        if newer is not None:
            missed.join(newer)

    def _subject(self, agent: str) -> str:
        known = self._pseudonyms.get(agent)
        if known is None:
            if len(self._pseudonyms) >= _MAX_PSEUDONYMS:
                self._pseudonyms.clear()
            digest = canonical.salted_digest(self.place.origin.encode(), agent.encode())
            known = self._pseudonyms[agent] = f"urn:sealgate:agent:{digest[:8].hex()}"
        return known


def _resolve(future: asyncio.Future[Receipt], result: Receipt | UnavailableError) -> None:
    if future.done():  # its waiter was cancelled
        return
    if isinstance(result, UnavailableError):
        future.set_exception(result)
    else:
        future.set_result(result)
