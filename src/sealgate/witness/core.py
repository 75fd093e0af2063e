"""Decides on one ``add-checkpoint`` request, in the order of C2SP tlog-witness.

(1) parse, (2) known origin, (3) a signature of that log, (4) old size not above the new, then inside one transaction:
(5) old size is the stored one, (6) consistency, (7) cosign, (8) persist; only then answer. First contact is stricter
than the reference: it demands old size 0 and an empty proof.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sealgate.model.errors import ConfigurationError, EncodingError, EvidenceError, UnavailableError
from sealgate.ports.signer import Signer
from sealgate.proofs import checkpoints, cosignatures, notes, tree
from sealgate.proofs.keys import is_signed
from sealgate.proofs.notes import Note, VerifierKey

from . import wire
from .state import State, Stored

_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = _TEXT


class _RefusedError(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Witness:
    """One witness. May be called from several threads; ``logs`` maps each origin to the keys that may sign it."""

    def __init__(
        self,
        state: State,
        signer: Signer,
        logs: Mapping[str, Sequence[VerifierKey]],
        unix_s: Callable[[], int],
        alarm: Callable[[str], None],
    ) -> None:
        if signer.public_key != state.public_key:
            raise ConfigurationError(
                "witness key and database do not belong together", hint="a database is never reused for another key"
            )
        self.key = VerifierKey(state.name, notes.COSIGNATURE_ED25519, state.public_key)
        self._state = state
        self._signer = signer
        self._logs = {origin: tuple(keys) for origin, keys in logs.items()}
        self._origins = {wire.monitoring_path(origin): origin for origin in logs}
        self._unix_s = unix_s
        self._alarm = alarm

    def add_checkpoint(self, body: bytes) -> Answer:
        """Return the answer to one request; on 200 the new state is already durable."""
        try:
            request = wire.parse_request(body)
            point, note = checkpoints.parse(request.checkpoint)
        except EncodingError as error:
            return _refusal(400, error.message)
        keys = self._logs.get(point.origin)
        if keys is None:
            return _refusal(404, "unknown log")
        if not _is_signed(note, keys):
            return _refusal(403, "invalid signature, or none of a key of this log")
        if request.old > point.size:
            return _refusal(400, "old size is larger than the checkpoint")
        try:
            _, _, cosigned = self._state.advance(point.origin, lambda stored: self._next(stored, request, point))
        except _RefusedError as refused:
            return refused.answer
        except UnavailableError as error:
            return _refusal(503, error.message)
        line = notes.parse(cosigned).signatures[-1]
        return Answer(200, line.encode().encode())

    def _next(self, stored: Stored | None, request: wire.AddCheckpoint, point: checkpoints.Checkpoint) -> Stored:
        size, root = (0, tree.EMPTY_ROOT) if stored is None else stored[:2]
        if request.old != size:
            raise _RefusedError(Answer(409, f"{size}\n".encode(), wire.SIZE_TYPE))
        if point.size == 0 and point.root != tree.EMPTY_ROOT:
            raise _RefusedError(_refusal(422, "the empty tree has another root"))
        if size == 0:
            if request.proof:
                raise _RefusedError(_refusal(422, "a consistency proof from size 0 is empty"))
        else:
            try:
                tree.verify_consistency(size, point.size, request.proof, root, point.root)
            except EvidenceError as error:
                self._alarm(f"log `{point.origin}` at size {size}: {error.message}")
                raise _RefusedError(_refusal(422, f"consistency proof: {error.message}")) from error
        return point.size, point.root, self._cosign(request.checkpoint)

    def _cosign(self, checkpoint: bytes) -> bytes:
        note = notes.parse(checkpoint)
        time = self._unix_s()
        message = cosignatures.message_v1(time, note.text)
        signature = self._signer.sign(message)
        if not is_signed(self.key.public_key, message, signature):
            raise UnavailableError("witness key made an invalid signature")
        # Only the first line of each key of the log is kept: what others added is not ours to show.
        keys = {key.key_id: key.name for key in self._logs[checkpoints.parse_text(note.text).origin]}
        first = {line.key_id: line for line in reversed(note.signatures) if keys.get(line.key_id) == line.name}
        return Note(note.text, (*first.values(), cosignatures.signature_line(self.key, time, signature))).encode()

    def latest(self, path: str) -> Answer:
        """Return the answer to a monitor: the newest cosigned checkpoint."""
        origin = self._origins.get(path)
        stored = self._state.latest(origin) if origin is not None else None
        return _refusal(404, "no checkpoint") if stored is None else Answer(200, stored[2])


def _is_signed(note: Note, keys: Sequence[VerifierKey]) -> bool:
    for key in keys:
        try:
            if cosignatures.verify_note(note, (key,)):
                return True
        except (EvidenceError, EncodingError):
            continue
    return False


def _refusal(status: int, reason: str) -> Answer:
    return Answer(status, f"{reason}\n".encode())
