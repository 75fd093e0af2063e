"""What others said about our checkpoints: witnesses that saw them grow, a timestamp authority that saw them early.

``checkpoint`` is always the newest, mostly not yet endorsed. Beside it lie ``checkpoint.witnessed``, the newest with a
quorum of cosignatures, and ``checkpoint.timestamped``, the newest with a timestamp; both are whole signed notes that
any C2SP tool opens. Receipts are made under the one of these that says most about the record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sealgate.model.errors import AlteredError, EncodingError, InputError, NotProvenError
from sealgate.ports.public_log import PublicLog
from sealgate.proofs import checkpoints, cosignatures, notes, quorum
from sealgate.proofs.notes import Note, SignatureLine, VerifierKey

WITNESSED: Final = "checkpoint.witnessed"
TIMESTAMPED: Final = "checkpoint.timestamped"
_REMEMBERED: Final = 256
"""Published checkpoints that may still be endorsed; at ten a second, witnesses have 25 seconds to answer."""


@dataclass(frozen=True, slots=True)
class Endorsed:
    """A checkpoint somebody else vouched for. ``quorum``: enough witnesses cosigned it."""

    note: bytes
    size: int
    state: Literal["witnessed", "timestamped"]
    quorum: bool


class Endorsements:
    """Keeps the newest endorsed checkpoints. Writers are serialized by the ledger; ``best`` may be called anytime."""

    def __init__(self, public: PublicLog, key: VerifierKey, witnesses: Sequence[VerifierKey], needed: int) -> None:
        self._public = public
        self._key = key
        self._witnesses = tuple(witnesses)
        self._needed = needed
        self._recent: dict[int, bytes] = {}
        self._witnessed: Endorsed | None = None
        self._timestamped: Endorsed | None = None

    def load(self, size: int) -> None:
        """Read what was kept. A file that does not verify, or is newer than the log, is no endorsement."""
        current = self._public.read("checkpoint")
        if current:
            self._recent[size] = current
        for path in (WITNESSED, TIMESTAMPED):
            note = self._public.read(path)
            if note is None:
                continue
            try:
                head = quorum.verify_checkpoint(note, log=self._key, witnesses=self._witnesses)
            except (EncodingError, AlteredError, NotProvenError):
                continue
            if head.size > size:
                continue
            self._recent.setdefault(head.size, note)
            if path == WITNESSED and self._has_quorum(note):
                self._witnessed = Endorsed(note, head.size, "witnessed", quorum=True)
            elif path == TIMESTAMPED:
                self._timestamped = Endorsed(note, head.size, "timestamped", self._has_quorum(note))

    def published(self, size: int, note: bytes) -> None:
        """Remember a checkpoint that may be endorsed later."""
        self._recent[size] = note
        while len(self._recent) > _REMEMBERED:
            del self._recent[next(iter(self._recent))]

    def _remembered(self, size: int) -> bytes:
        note = self._recent.get(size)
        if note is None:
            raise InputError(f"no checkpoint of size {size} is remembered", hint="endorse the newest checkpoint")
        return note

    def cosign(self, size: int, lines: Sequence[SignatureLine]) -> tuple[bytes, bool]:
        """Return the checkpoint with the known witnesses' lines added, and whether it has its quorum now."""
        note = self._remembered(size)
        text = notes.parse(note).text
        known = [line for line in lines if any(key.key_id == line.key_id for key in self._witnesses)]
        if known:
            cosignatures.verify_note(Note(text, tuple(known)), self._witnesses)
            note = checkpoints.add_lines(note, known)
        reached = self._has_quorum(note)
        if reached and (self._witnessed is None or size >= self._witnessed.size):
            self._public.replace(WITNESSED, note)
            self._witnessed = Endorsed(note, size, "witnessed", quorum=True)
        self._recent[size] = note
        return note, reached

    def _has_quorum(self, note: bytes) -> bool:
        if self._needed == 0:
            return False
        try:
            quorum.verify_checkpoint(note, log=self._key, witnesses=self._witnesses, quorum=self._needed)
        except NotProvenError:
            return False
        return True

    def timestamp(self, size: int, response: bytes) -> None:
        """Keep a timestamp over the checkpoint of ``size``."""
        note = self._remembered(size)
        self._public.create(f"timestamps/{size}.tsr", response)
        self._public.settle()
        if self._timestamped is None or size >= self._timestamped.size:
            self._public.replace(TIMESTAMPED, note)
            self._timestamped = Endorsed(note, size, "timestamped", self._has_quorum(note))

    def best(self, index: int) -> Endorsed | None:
        """Return the checkpoint that says most about the record at ``index``.

        With a quorum configured, a timestamp counts as the last state only where the witnesses agreed as well.
        """
        timestamped, witnessed = self._timestamped, self._witnessed
        if timestamped is not None and index < timestamped.size and (not self._needed or timestamped.quorum):
            return timestamped
        if witnessed is not None and index < witnessed.size:
            return witnessed
        return None
