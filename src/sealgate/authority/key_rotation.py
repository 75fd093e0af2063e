"""Records key events and begins to sign with a new key. The endorsements come prepared; the root key is not here.

Statement and receipt keys change while the authority runs. Keys that are secret altogether (permit, wrapping) change at
a start, before anything was made with the old one, and the change is recorded first of all.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sealgate.authority import answers
from sealgate.authority.drafts import Receipt
from sealgate.authority.key_events import Members
from sealgate.authority.recorder import Recorder
from sealgate.model.errors import InputError
from sealgate.model.evaluation import Identity
from sealgate.model.records import Kind
from sealgate.ports.signer import Signer
from sealgate.proofs.key_events import ADDED, SECRET_PURPOSES, STATEMENT


class Rotations(Protocol):
    """Where a prepared change of keys waits."""

    def pending(self) -> tuple[Members, ...]:
        """Return the endorsed events in the order in which they are recorded."""

    def switch(self) -> tuple[str, Signer | None] | None:
        """Name the prepared key as the one in use from the next start on, durable; return its purpose and the signer.

        No signer where the key only opens at a start; None where nothing was to be named.
        """

    def note(self, event: Members, index: int) -> None:
        """Keep for verifiers that ``event`` stands at ``index``; called before ``switch``."""

    def finish(self) -> None:
        """Forget the change."""


async def record_event(recorder: Recorder, members: Members, caller: Identity | None = None) -> Receipt:
    """Record one endorsed key event, with who asked for it, and return when it is durable.

    Raises:
        UnavailableError: it could not be recorded.
    """
    draft = recorder.draft(Kind(str(members["kind"])))
    fields: dict[str, Any] = {name: value for name, value in members.items() if name != "kind"}
    draft.fields.update(fields)
    asked_by = answers.agent(caller.principal, caller, []) if caller else None
    return await recorder.record(draft, agent=asked_by, own=True)


Use = Callable[[Signer], None]
"""Begins to sign with another key, at once."""


async def rotate(
    recorder: Recorder, rotations: Rotations, caller: Identity, use: Mapping[str, Use] | None = None
) -> Receipt:
    """Record the prepared change; return the receipt of its last event. Runs on the event loop.

    The old key signs the new one's addition. Then the new one is named as the key in use, and signs from there on,
    its predecessor's retirement first among all: a retired key may not sign that record itself. ``use`` says by purpose
    who signs with keys other than those of statements.

    Raises:
        InputError: nothing is prepared, or what is prepared takes effect at the next start.
        UnavailableError: an event could not be recorded; a repeated call goes on where this one stopped.
    """
    events = rotations.pending()
    if not events:
        raise InputError("no change of keys is prepared", hint="run `sealgate keys rotate` where the root key is")
    if _is_secret(events):
        purpose = events[0]["purpose"]
        raise InputError(
            f"a prepared change of the {purpose} key takes effect at a start", hint="restart the authority"
        )
    return await _record(recorder, rotations, {STATEMENT: recorder.use_signer, **(use or {})}, caller)


async def record_secrets(recorder: Recorder, rotations: Rotations) -> None:
    """Record, at the start, the change to a secret key that was put into use just before it.

    Raises:
        UnavailableError: an event could not be recorded; the next start records both again.
    """
    if _is_secret(rotations.pending()):
        await _record(recorder, rotations, {}, None)


def _is_secret(events: Sequence[Members]) -> bool:
    return bool(events) and events[0]["purpose"] in SECRET_PURPOSES


async def _record(recorder: Recorder, rotations: Rotations, use: Mapping[str, Use], caller: Identity | None) -> Receipt:
    for event in rotations.pending():
        receipt = await record_event(recorder, event, caller)
        rotations.note(event, receipt.index)
        if event["kind"] == ADDED and (named := rotations.switch()) is not None:
            purpose, signer = named
            if signer is not None:
                use[purpose](signer)
    rotations.finish()
    return receipt
