"""The key-encryption key from outside: it wraps data keys and never leaves where it lives."""

from typing import Protocol


class WrappingKey(Protocol):
    """One key that wraps 32-byte data keys: AES key wrap (RFC 3394) or what a key service does. Any thread may call."""

    def wrap(self, key: bytes) -> bytes:
        """Return the wrapped form of a 32-byte key, 1 KiB at most; only this key opens it.

        Raises:
            UnavailableError: the device, service or key cannot be used now.
        """

    def unwrap(self, wrapped: bytes) -> bytes:
        """Return the key.

        Raises:
            AlteredError: ``wrapped`` was changed, or another key wrapped it.
            UnavailableError: the device, service or key cannot be used now.
        """
