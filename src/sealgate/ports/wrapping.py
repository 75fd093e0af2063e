"""The key-encryption key from outside: it wraps data keys and never leaves where it lives."""

from typing import Protocol


class WrappingKey(Protocol):
    """One AES-256 key that wraps 32-byte data keys (RFC 3394). May be called from any thread."""

    def wrap(self, key: bytes) -> bytes:
        """Return the wrapped form of a 32-byte key, 40 bytes.

        Raises:
            UnavailableError: the device or key cannot be used now.
        """

    def unwrap(self, wrapped: bytes) -> bytes:
        """Return the key.

        Raises:
            AlteredError: ``wrapped`` was changed, or another key wrapped it.
            UnavailableError: the device or key cannot be used now.
        """
