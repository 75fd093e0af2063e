"""Opens records of the followed journal with reading keys; what was erased or expired has no body."""

from collections.abc import Iterator

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealgate.encoding import canonical, sealed_body, sealed_group, statement
from sealgate.model.errors import AlteredError
from sealgate.ports.datakeys import ReadableDataKeys
from sealgate.ports.evidence import FollowedJournal
from sealgate.ports.journal import JournalRecord


class Opened(msgspec.Struct, frozen=True):
    """One record: its statement (empty: expired), its body and the key that opened it (None: gone)."""

    index: int
    statement: bytes
    body: bytes | None
    key_id: bytes | None


class Records:
    """Records by index, each body checked against its statement's commitment."""

    def __init__(self, journal: FollowedJournal, keys: ReadableDataKeys, origin: str) -> None:
        self._journal = journal
        self._keys = keys
        self._origin = origin
        self._bodies = sealed_group.Bodies(origin, self._cipher)

    def published(self) -> int:
        """Return how many records the log has published."""
        return self._journal.published()

    def read(self, start: int, stop: int) -> Iterator[Opened]:
        """Yield the records from ``start`` to ``stop``.

        Raises:
            AlteredError: a record is not what its statement commits to.
            UnavailableError: the key store cannot be used now.
        """
        for index, record in self._journal.read(start, stop):
            yield self._open(index, record)

    def body(self, index: int) -> bytes | None:
        """Return one body, or None when it is gone. Raises as ``read``."""
        return next(iter(self.read(index, index + 1))).body

    def key_of(self, index: int) -> str | None:
        """Return the id, hex, of the key that opens the body, or None when the body is gone. Raises as ``read``."""
        key_id = next(iter(self.read(index, index + 1))).key_id
        return None if key_id is None else key_id.hex()

    def forget(self) -> None:
        """Drop what was opened and is kept in memory."""
        self._bodies = sealed_group.Bodies(self._origin, self._cipher)

    def _open(self, index: int, record: JournalRecord) -> Opened:
        sealed, signed = record.sealed_body, record.statement
        body = self._bodies.open(sealed, record.group, lambda: statement.entry_of(signed))
        if body is None:
            return Opened(index, signed, None, None)
        # A body whose statement expired is not expected; without one there is nothing to check it against.
        if not signed or canonical.sha256(body) != statement.commitment_of(signed):
            raise AlteredError(f"body of record {index} is not what its statement commits to", index=index)
        return Opened(index, signed, body, sealed_body.key_id_of(sealed))

    def _cipher(self, key_id: bytes) -> AESGCM | None:
        key = self._keys.find(key_id)
        return None if key is None else key.cipher
