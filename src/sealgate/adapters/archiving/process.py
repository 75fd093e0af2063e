"""Archives segments in a process of its own (ports.archiving.Archiver).

Opening, compressing and sealing every record of a segment took the interpreter from the decisions for seconds. What is
left on the authority's side is telling data keys, looking whether the archive keeps all, and its name (ADR 0199).
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from sealgate.adapters.archiving import messages
from sealgate.adapters.archiving.messages import Archive, Current, Done, Facts, Failed, Find, Gone, GoOn, Key, Known
from sealgate.adapters.children.waiting import ChildLostError, WaitingChild
from sealgate.adapters.journals.archive import decode_header
from sealgate.adapters.journals.archive_writing import keeps_all
from sealgate.authority.archiving import LEDGER_SCOPE, at_once
from sealgate.model.errors import AlteredError, EncodingError, SealgateError, UnavailableError
from sealgate.ports.archiving import ClosedSegment
from sealgate.ports.datakeys import DataKey, SealingDataKeys

_LOG = logging.getLogger(__name__)
_PATIENCE_S: Final = 60.0
"""For one block of at most 2,048 records, or the last sync; a disk that takes so long is not one to wait for."""

LARGE: Final = 1 << 20
"""Bytes of a segment from which on the process is worth its start: the least at which one is closed by itself."""

_QUESTIONS_A_RECORD: Final = 3
"""A record's key, a new key for it, its block: more is never asked."""

_ERRORS: Final[dict[str, type[SealgateError]]] = {kind.__name__: kind for kind in (EncodingError, UnavailableError)}
"""What its errors mean besides AlteredError; any other is storage that failed."""


class ProcessArchiver:
    """One archiving process, started for a segment of ``large`` bytes and more, and ended by ``close``.

    ``lock`` is a descriptor that holds the journal's lock; the process keeps it while it runs.
    """

    def __init__(self, origin: str, data_keys: SealingDataKeys, *, lock: int, large: int = LARGE) -> None:
        self._origin = origin
        self._data_keys = data_keys
        self._large = large
        self.pace: Callable[[], None] = at_once
        self._child = WaitingChild(
            "sealgate.adapters.archiving.worker", "archiving process", patience_s=_PATIENCE_S, inherited=[lock]
        )

    @property
    def pid(self) -> int | None:
        """Return the process id, or None where none runs."""
        return self._child.process.pid if self._child.process is not None else None

    def write(self, segment: ClosedSegment, *, source: Path, target: Path, header: bytes) -> bool:
        """Have ``segment`` archived there; see the port. Ends the process where it is given up."""
        if segment.stored_bytes < self._large or not self._child.start():
            return False
        told: set[bytes] = set()
        work = Archive(self._origin, str(source.absolute()), str(target.absolute()), header)
        try:
            result = self._converse(work, _QUESTIONS_A_RECORD * (segment.stop - segment.start) + 1, told)
        except ChildLostError:
            return False
        except SealgateError:  # the key store's: nothing was wrong with the process, but its work goes nowhere
            self._child.rest()
            raise
        if isinstance(result, Failed):
            raise _error(result)
        expected = decode_header(header)
        if result is None or expected is None or not keeps_all(target, expected):
            _LOG.warning("the archiving process did not do what it was asked; it is ended")
            self._child.close()
            return False
        # A key destroyed meanwhile is an erasure, which must not be undone: then all is opened anew, here.
        return all(self._data_keys.find(key_id) is not None for key_id in told)

    def _converse(self, work: Archive, questions: int, told: set[bytes]) -> Done | Failed | None:
        """Answer what it asks until it has a result; None if that is not ours. ``told`` gets the keys it was given."""
        message: Archive | messages.Reply = work
        for _ in range(questions + 1):
            try:
                said: messages.Question | messages.Result = messages.decode_said(
                    self._child.ask(messages.encode(message))
                )
            except msgspec.DecodeError:
                return None
            if isinstance(said, Done | Failed):
                return said
            message = self._reply(said)
            if isinstance(message, Key):
                told.add(message.key_id)
        return None

    def _reply(self, question: messages.Question) -> messages.Reply:
        if isinstance(question, Find):
            key = self._data_keys.find(question.key_id)
            return Gone() if key is None else _key(key)
        if isinstance(question, Current):
            return _key(self._data_keys.current(LEDGER_SCOPE, question.unix_ms))
        if isinstance(question, Facts):
            return Known(self._data_keys.facts(LEDGER_SCOPE))
        self.pace()
        return GoOn()

    def close(self) -> None:
        """Let the process end, until there is work again. Idempotent."""
        self._child.rest()


def _key(key: DataKey) -> Key:
    return Key(key.key_id, key.secret)


def _error(failed: Failed) -> SealgateError:
    if failed.kind == AlteredError.__name__:
        return AlteredError(failed.message, index=failed.index, hint=failed.hint)
    return _ERRORS.get(failed.kind, UnavailableError)(failed.message, hint=failed.hint)
