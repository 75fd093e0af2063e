"""Data keys: random AES-256 keys for bodies, kept wrapped, destroyed to erase."""

from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


@dataclass(frozen=True, slots=True)
class DataKey:
    """One data key, ready for use. ``key_id`` is random, 16 bytes, and travels with each ciphertext."""

    key_id: bytes
    cipher: AESGCM


class DataKeys(Protocol):
    """The store of wrapped data keys. ``current`` is called on the hot path and must answer from memory when it can.

    A key is durable (wrapped, on stable storage) before it is first returned: a body is never sealed under a key
    that a crash could lose.
    """

    def current(self, scope: str, unix_ms: int) -> DataKey:
        """Return the key for new bodies of ``scope`` in this month, making it if new.

        A scope names tenant, subject and retention class.

        Also rotates before 2^32 records were sealed under one key (NIST SP 800-38D section 8.3).

        Raises:
            UnavailableError: the store or the wrapping key cannot be used.
        """

    def find(self, key_id: bytes) -> DataKey | None:
        """Return the key, or None when it was destroyed or never existed."""

    def destroy(self, key_id: bytes) -> bool:
        """Remove the wrapped key so that no free page keeps it; tell whether it existed. Durable on return."""
