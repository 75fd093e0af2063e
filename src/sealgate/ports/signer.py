"""Signing from outside: a file, a hardware module, a key service."""

from typing import Protocol


class Signer(Protocol):
    """Signs with one Ed25519 private key, which it gives to nobody (but see ``ports.signing``).

    May be called from any thread; the adapter serializes where its device needs that. A call either returns a valid
    signature or raises; it never returns an empty or partial one.
    """

    @property
    def public_key(self) -> bytes:
        """The raw public key, 32 bytes, checked against weak keys when the signer was opened."""

    @property
    def key_id(self) -> bytes:
        """``encoding.statement.key_id(public_key)``, 16 bytes."""

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature (RFC 8032, pure) of ``message``.

        Raises:
            UnavailableError: the device or key cannot be used now.
        """
