"""Data keys for a process that only reads bodies: the evidence service beside the authority.

Each look-up opens the database read-only and closes it again, so that the authority's rewriting after a destruction
never waits long for this process and never fails because of it.

Trusted: it holds the key-encryption key and so reads every body that is not erased; it can change or destroy nothing.
"""

import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sealgate.adapters.keys import datakeys_file
from sealgate.model.errors import UnavailableError
from sealgate.ports.datakeys import DataKey
from sealgate.ports.wrapping import WrappingKey

_MAX_CACHED: Final = 16_384


class ReadingKeys:
    """Finds data keys of a store that another process owns (ports.datakeys.ReadableDataKeys). Any thread may call.

    An erased key stays readable here until it is dropped from memory: call ``drop`` for each ``erasure.executed`` and
    ``retention.expired`` record. That a key is not there is remembered too; ids are random and never used again.
    """

    def __init__(self, path: Path, wrapping_key: WrappingKey) -> None:
        self._path = path
        self._wrapping_key = wrapping_key
        self._lock = threading.Lock()
        self._opened: dict[bytes, DataKey | None] = {}

    def find(self, key_id: bytes) -> DataKey | None:
        """Return the key, or None when it was destroyed or never existed.

        Raises:
            AlteredError: the row was changed, or another key-encryption key wrapped it.
            ConfigurationError: the database is missing or of another version.
            UnavailableError: the store or the wrapping key cannot be used now.
        """
        try:
            return self._opened[key_id]
        except KeyError:
            with self._lock:
                return self._load(key_id)

    def drop(self, key_ids: Iterable[bytes] | None = None) -> None:
        """Forget these keys, or all of them; the next look-up asks the database again."""
        with self._lock:
            if key_ids is None:
                self._opened.clear()
            else:
                for key_id in key_ids:
                    self._opened.pop(key_id, None)

    def _load(self, key_id: bytes) -> DataKey | None:
        wrapped = self._wrapped(key_id)
        key = None if wrapped is None else DataKey.of(key_id, self._wrapping_key.unwrap(wrapped))
        if len(self._opened) >= _MAX_CACHED:
            del self._opened[next(iter(self._opened))]
        self._opened[key_id] = key
        return key

    def _wrapped(self, key_id: bytes) -> bytes | None:
        database = datakeys_file.open_reading(self._path)
        try:
            row = database.execute("SELECT wrapped FROM data_keys WHERE key_id=?", (key_id,)).fetchone()
        except sqlite3.Error as error:
            raise UnavailableError(f"data key database cannot be read: {error}") from error
        finally:
            database.close()
        return None if row is None else bytes(row[0])
