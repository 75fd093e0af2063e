"""Builds a log's files in a process of its own (ports.building.Building).

Hashing and writing them took the interpreter from the decisions; what is left on the authority's side of it is one
signature, one commit and the checkpoint (ADR 0198).
"""

import logging
from pathlib import Path
from typing import Final

import msgspec

from sealgate.adapters.building import messages
from sealgate.adapters.building.messages import Begin, Failed, Request, Settle, Stage, Tidy, Write
from sealgate.adapters.children.waiting import ChildLostError, WaitingChild
from sealgate.model.errors import AlteredError, ForkError, NotProvenError, SealgateError, UnavailableError
from sealgate.ports.building import BuilderLostError, Staged

_LOG = logging.getLogger(__name__)
_PATIENCE_S: Final = 60.0
"""A batch has at most 16,384 records; a disk that takes so long for it is not one to wait for."""

MANY: Final = 256
"""Leaves in one batch from which on the process is worth its round trips."""

_ERRORS: Final[dict[str, type[SealgateError]]] = {
    kind.__name__: kind for kind in (AlteredError, ForkError, NotProvenError, UnavailableError)
}
"""What the builder's errors mean to the ledger; any other is storage that failed."""


class ProcessBuilding:
    """One building process, started when a batch first had ``busy`` leaves. Called by the publisher's thread.

    ``lock`` is a descriptor that holds the journal's lock; the process keeps it while it runs.
    """

    def __init__(self, origin: str, *, journal: Path, public: Path, staging: Path, lock: int, busy: int = MANY) -> None:
        self._busy = busy
        self._origin = origin
        self._journal = str(journal.absolute())
        self._public = str(public.absolute())
        self._staging = str(staging.absolute())
        self._child = WaitingChild(
            "sealgate.adapters.building.worker", "building process", patience_s=_PATIENCE_S, inherited=[lock]
        )

    @property
    def pid(self) -> int | None:
        """Return the process id, or None where none runs."""
        return self._child.process.pid if self._child.process is not None else None

    def busy(self, leaves: int) -> bool:
        """Tell whether so many leaves in one batch are worth it."""
        return leaves >= self._busy

    def begin(self, size: int, root: bytes) -> "_Remote | None":
        """Have the files built there from this published tree on; None where nobody can."""
        if not self._child.start():
            return None
        remote = _Remote(self._child)
        begin = Begin(self._origin, self._journal, self._public, self._staging, size, root)
        try:
            remote.do(begin)
        except SealgateError as error:
            _LOG.warning("the log's files are built without the building process: %s", error.message)
            self._child.close()
            return None
        return remote

    def close(self) -> None:
        """Let the process end. Idempotent."""
        self._child.close()


class _Remote:
    """A ``ports.building.Builder`` that asks the process."""

    def __init__(self, child: WaitingChild) -> None:
        self._child = child

    def stage(self, stop: int) -> Staged:
        """Have the records up to ``stop`` staged."""
        staged = self.do(Stage(stop))
        if staged is None or staged.size != stop or len(staged.root) != 32:  # a SHA-256
            self._child.close()
            raise BuilderLostError("the building process answered what it was not asked")
        return staged

    def write(self) -> None:
        """Have the staged files written."""
        self.do(Write())

    def tidy(self) -> None:
        """Have what they completed removed."""
        self.do(Tidy())

    def settle(self, size: int) -> None:
        """Have everything made durable."""
        self.do(Settle(size))

    def do(self, request: Request) -> Staged | None:
        """Ask, wait, and raise what went wrong there."""
        try:
            answer: messages.Answer = messages.decode_answer(self._child.ask(messages.encode(request)))
        except ChildLostError as error:
            raise BuilderLostError("the building process ended") from error
        except msgspec.DecodeError as error:
            self._child.close()
            raise BuilderLostError("the building process answered what it was not asked") from error
        if isinstance(answer, Failed):
            raise _ERRORS.get(answer.kind, UnavailableError)(answer.message, hint=answer.hint)
        return answer.staged
