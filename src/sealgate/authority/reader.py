"""Reads records back: opens bodies, finds a record by its id."""

from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealgate.encoding import canonical, sealed_group, statement
from sealgate.model.errors import AlteredError
from sealgate.model.limits import MAX_BODY_BYTES
from sealgate.ports.datakeys import ReadableDataKeys
from sealgate.ports.journal import Journal, JournalRecord

_RECORD_ID: Final = b',"record_id":"'
UUID_CHARS: Final = 36


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One record as it stands in the journal. ``body`` is None when it expired or its key was destroyed."""

    index: int
    statement: bytes
    body: bytes | None

    def content(self) -> dict[str, Any] | None:
        """Return the parsed body, or None when it cannot be read any more."""
        if self.body is None:
            return None
        content = canonical.decode_body(self.body)
        if not isinstance(content, dict):
            raise AlteredError(f"body of record {self.index} is not an object", index=self.index)
        return content

    def record_id(self) -> str | None:
        """Return the record's id, or None when the body cannot be read any more. Batches are not parsed for it.

        In a canonical body nothing behind ``items`` holds an unescaped quote, so the last such member is the record's.
        """
        if self.body is None or len(self.body) <= MAX_BODY_BYTES:
            content = self.content()
            return None if content is None else str(content["record_id"])
        start = self.body.rfind(_RECORD_ID) + len(_RECORD_ID)
        return self.body[start : start + UUID_CHARS].decode("ascii")


def _second(stored: StoredRecord) -> int:
    """Return the statement's time in seconds; before all others where the statement has expired."""
    return statement.parse(stored.statement).claims.iat if stored.statement else -1


class Opener:
    """Opens the bodies of one log's records, wherever these were read. Any thread may call it."""

    def __init__(self, *, data_keys: ReadableDataKeys, origin: str) -> None:
        self._data_keys = data_keys
        self._bodies = sealed_group.Bodies(origin, self._cipher)

    def open(self, index: int, record: JournalRecord) -> StoredRecord:
        """Open a journal record's body, and check it against the commitment.

        Raises:
            AlteredError: the body does not open, or is not what the statement commits to.
        """
        sealed = record.sealed_body
        body = self._bodies.open(sealed, record.group, lambda: statement.entry_of(record.statement))
        if body is None:
            return StoredRecord(index, record.statement, None)
        if canonical.sha256(body) != statement.parse(record.statement).commitment:
            raise AlteredError(f"body of record {index} is not what its statement commits to", index=index)
        return StoredRecord(index, record.statement, body)

    def forget(self) -> None:
        """Drop opened bodies from memory: some expired or a key was destroyed."""
        self._bodies.forget()

    def _cipher(self, key_id: bytes) -> AESGCM | None:
        key = self._data_keys.find(key_id)
        return None if key is None else key.cipher


class Reader(Opener):
    """Reads and opens records of one log. Read-only; may be used from any thread that may read the journal."""

    def __init__(self, *, journal: Journal, data_keys: ReadableDataKeys, origin: str) -> None:
        super().__init__(data_keys=data_keys, origin=origin)
        self._journal = journal

    @property
    def size(self) -> int:
        """The number of durable records."""
        return self._journal.size

    def read(self, index: int) -> StoredRecord:
        """Return the record at ``index``, its body checked against the commitment.

        Raises:
            AlteredError: the body does not open, or is not what the statement commits to.
            IndexError: there is no such record.
        """
        for found, record in self._journal.read(index, index + 1):
            return self.open(found, record)
        raise IndexError(index)

    def find(self, record_id: str) -> StoredRecord | None:
        """Return the record with this id, or None. Ids grow with the index, so this bisects: O(log n), no memory.

        A record whose body cannot be read any more (expired, erased) cannot be found by its id; its neighbours can.
        Across a stretch without bodies the statements' times lead on, to the second; where statements are gone too,
        what is there is older than anything that could be found.
        """
        low, high = 0, self.size
        second = int(record_id.replace("-", "")[:12], 16) // 1000
        while low < high:
            middle = (low + high) // 2
            at, stored = middle, self.read(middle)
            if stored.body is None and (time := _second(stored)) != second:
                low, high = (middle + 1, high) if time < second else (low, middle)
                continue
            while stored.body is None and at + 1 < high and _second(stored) <= second:
                at += 1
                stored = self.read(at)
            found = stored.record_id()
            if found is None:  # nothing readable from the middle up
                high = middle
            elif found == record_id:
                return stored
            elif found < record_id:
                low = at + 1
            else:
                high = middle
        return None
