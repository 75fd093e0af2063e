"""Erasing a person: the vault asks the authority, forgets, and tells the authority to go on.

active → erasing → forgotten → erased, each state durable before the next step; a refusal leads back to active. After a
crash ``resume`` goes on where it stopped: every step may be taken twice. In ``erasing`` no new value comes in.
"""

import logging
from typing import Final

import msgspec

from sealgate.model.erasure import Erasure, ErasureRequest, State
from sealgate.model.errors import NotPermittedError, SealgateError
from sealgate.model.evaluation import Identity
from sealgate.model.scopes import SUBJECT_TOKEN
from sealgate.ports.vault import AuthorityCalls, StoredSubject, VaultStore

_LOG = logging.getLogger(__name__)
_UNDER_WAY: Final = ("erasing", "forgotten")


class SubjectState(msgspec.Struct, frozen=True):
    """How far the vault is with a subject; no values."""

    subject: str
    state: str
    registered_ms: int
    values: int
    erasure: Erasure | None


class SubjectErasures:
    """Erasures of one vault. Blocks; may be used from any thread."""

    def __init__(self, store: VaultStore, authority: AuthorityCalls) -> None:
        self._store = store
        self._authority = authority

    def erase(self, subject: str, request: ErasureRequest, caller: Identity) -> Erasure:
        """Erase a subject here and at the authority, or learn why not. The same request again continues.

        Raises:
            NotPermittedError: there is no such subject, or another erasure of it is under way.
            UnavailableError: the authority or the disk failed; it is resumed, or send it again.
        """
        asked = msgspec.structs.replace(request, vault="pending", requested_by=caller.principal)
        with self._store.transaction():
            found = self._find(subject)
            if found.state == "erased" or (found.state == "active" and found.erasure is not None):
                done = msgspec.json.decode(found.erasure or b"", type=Erasure)
                if done.erasure_id == request.erasure_id:
                    return done
            if found.state == "active":
                found.state, found.erasure = "erasing", msgspec.json.encode(asked)
                self._store.change_subject(found)
            elif found.state in _UNDER_WAY:
                under_way = msgspec.json.decode(found.erasure or b"", type=ErasureRequest)
                if under_way.erasure_id != request.erasure_id:
                    hint = f"continue `{under_way.erasure_id}`"
                    raise NotPermittedError("another erasure is under way", code="erasure-under-way", hint=hint)
            else:
                raise NotPermittedError(f"subject `{subject}` is erased", code="subject-unknown")
        return self._go_on(found)

    def resume(self) -> int:
        """Go on with what a crash or an absent authority interrupted; return how many are done now."""
        with self._store.transaction():
            waiting = self._store.subjects_in(*_UNDER_WAY)
        done = 0
        for subject in waiting:
            try:
                self._go_on(subject)
                done += 1
            except SealgateError as error:
                _LOG.warning("an erasure waits: %s", error)
        return done

    def status(self, subject: str) -> SubjectState:
        """Return how far a subject is. Raises NotPermittedError when there is none."""
        with self._store.transaction():
            found = self._find(subject)
            values = len(self._store.values_of(subject))
        done = None
        if found.erasure is not None and found.state not in _UNDER_WAY:
            done = msgspec.json.decode(found.erasure, type=Erasure)
        return SubjectState(subject, found.state, found.created_ms, values, done)

    def _go_on(self, subject: StoredSubject) -> Erasure:
        request = msgspec.json.decode(subject.erasure or b"", type=ErasureRequest)
        if subject.state == "erasing":
            answer = self._authority.erase(subject.token, request)
            if answer.state is State.REFUSED:
                self._change(subject, "active", answer)
                return answer
            with self._store.transaction():
                self._store.remove_values(subject.token)
                subject.state, subject.key = "forgotten", None
                self._store.change_subject(subject)
                self._store.bump_version()
        self._store.scrub()  # if we die before this, opening the store does it, and this state does it again
        answer = self._authority.erase(subject.token, msgspec.structs.replace(request, vault="erased", refuse=None))
        self._change(subject, "erased", answer)
        return answer

    def _change(self, subject: StoredSubject, state: str, answer: Erasure) -> None:
        with self._store.transaction():
            subject.state = "active" if state == "active" else "erased"
            subject.erasure = msgspec.json.encode(answer)
            self._store.change_subject(subject)

    def _find(self, subject: str) -> StoredSubject:
        found = self._store.subject(subject) if SUBJECT_TOKEN.fullmatch(subject) else None
        if found is None:
            raise NotPermittedError(f"subject `{subject[:64]}` is not registered", code="subject-unknown")
        return found
