"""Records key events and begins to sign with a new key. The endorsements come prepared; the root key is not here."""

from typing import Any, Protocol

from sealgate.authority import answers
from sealgate.authority.key_events import Members
from sealgate.authority.recorder import Receipt, Recorder
from sealgate.model.errors import InputError
from sealgate.model.evaluation import Identity
from sealgate.model.records import Kind
from sealgate.ports.signer import Signer
from sealgate.proofs.key_events import ADDED


class Rotations(Protocol):
    """Where a prepared change of keys waits."""

    def pending(self) -> tuple[Members, ...]:
        """Return the endorsed events in the order in which they are recorded."""

    def switch(self) -> Signer | None:
        """Name the prepared statement key as the one in use from the next start on, durable; return it."""

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
    return await recorder.record(draft, agent=answers.agent(caller.principal, caller, []) if caller else None)


async def rotate(recorder: Recorder, rotations: Rotations, caller: Identity) -> Receipt:
    """Record the prepared change; return the receipt of its last event. Runs on the event loop.

    The old key signs the new one's addition. Then the new one is named as the key in use, and signs from there on,
    its predecessor's retirement first among all: a retired key may not sign that record itself.

    Raises:
        InputError: nothing is prepared.
        UnavailableError: an event could not be recorded; a repeated call goes on where this one stopped.
    """
    events = rotations.pending()
    if not events:
        raise InputError("no change of keys is prepared", hint="run `sealgate keys rotate` where the root key is")
    for event in events:
        receipt = await record_event(recorder, event, caller)
        rotations.note(event, receipt.index)
        if event["kind"] == ADDED and (signer := rotations.switch()) is not None:
            recorder.use_signer(signer)
    rotations.finish()
    return receipt
