"""The vault's keys at work: one to find values again, one for each subject to seal them."""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealgate.model.errors import AlteredError
from sealgate.ports.wrapping import WrappingKey

_NONCE_BYTES: Final = 12


class Sealing:
    """Seals values under their subject's key, which is itself wrapped by the vault's wrapping key."""

    def __init__(self, wrapping: WrappingKey, lookup_key: bytes) -> None:
        self._wrapping = wrapping
        self.lookup_key = lookup_key

    def new_key(self) -> bytes:
        """Return a new random subject key, wrapped."""
        return self._wrapping.wrap(os.urandom(32))

    def seal(self, wrapped: bytes, token: str, kind: str, value: str) -> bytes:
        """Return a value sealed for its token and type."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._wrapping.unwrap(wrapped)).encrypt(nonce, value.encode(), _aad(token, kind))

    def open(self, wrapped: bytes, token: str, kind: str, sealed: bytes) -> str:
        """Return the value.

        Raises:
            AlteredError: it was changed, or belongs to another token.
        """
        cipher = AESGCM(self._wrapping.unwrap(wrapped))
        try:
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _aad(token, kind)).decode()
        except InvalidTag as error:
            raise AlteredError("a value in the vault was changed", hint="restore the vault from a copy") from error


def _aad(token: str, kind: str) -> bytes:
    return f"{token}\x00{kind}".encode()
