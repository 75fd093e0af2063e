"""Data keys: random AES-256 keys for bodies, kept wrapped, destroyed to erase."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


@dataclass(frozen=True, slots=True)
class DataKey:
    """One data key, ready for use. ``key_id`` is random, 16 bytes, and travels with each ciphertext."""

    key_id: bytes
    cipher: AESGCM
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, key_id: bytes, secret: bytes) -> Self:
        """Return the key whose 32 secret bytes these are."""
        return cls(key_id, AESGCM(secret), secret)


@dataclass(frozen=True, slots=True)
class KeyFact:
    """What is known of a key without opening it. It sealed bodies of ``from_ms`` <= time < ``until_ms`` only."""

    key_id: bytes
    scope: str
    from_ms: int
    until_ms: int


class ReadableDataKeys(Protocol):
    """Finds data keys; whoever only reads needs no more."""

    def find(self, key_id: bytes) -> DataKey | None:
        """Return the key, or None when it was destroyed or never existed.

        Raises:
            AlteredError: the stored key was changed, or another key-encryption key wrapped it.
            UnavailableError: the store or the wrapping key cannot be used.
        """


class SealingDataKeys(ReadableDataKeys, Protocol):
    """Finds data keys, and gives those for new bodies; whoever seals needs no more.

    A key is durable (wrapped, on stable storage) before it is first returned: a body is never sealed under a key
    that a crash could lose.
    """

    def current(self, scope: str, unix_ms: int) -> DataKey:
        """Return the key for new bodies of ``scope`` (model.scopes) in this period, making it if new.

        Also rotates before 2^32 records were sealed under one key (NIST SP 800-38D section 8.3).

        Raises:
            UnavailableError: the store or the wrapping key cannot be used.
        """

    def facts(self, prefix: str) -> list[KeyFact]:
        """Return all keys whose scope begins with ``prefix``, by scope and period; ``""`` is every key.

        Raises:
            UnavailableError: the store cannot be used.
        """


class DataKeys(SealingDataKeys, Protocol):
    """The store of wrapped data keys. ``current`` is called on the hot path and must answer from memory when it can."""

    def scopes(self, prefix: str) -> list[str]:
        """Return the scopes that begin with ``prefix``, sorted, each once. Raises as ``facts``."""

    def destroy(self, key_id: bytes) -> bool:
        """Remove the wrapped key so that no free page keeps it; tell whether it existed. Durable on return."""

    def destroy_many(self, key_ids: Iterable[bytes]) -> int:
        """Remove several keys in one durable step, all or none; return how many existed. Idempotent.

        Raises:
            UnavailableError: the store cannot be written or rewritten now; call again.
        """
