"""The sealed body: the private half of a record, AES-256-GCM under a random data key.

``0x01 || key_id16 || nonce12 || AES-256-GCM(dek, body, aad)``. The associated data ties the ciphertext to one log and
one statement, so that ciphertexts cannot be swapped. GCM does not commit to its key; the statement's commitment does.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..model.errors import AlteredError, EncodingError
from ..model.limits import KEY_ID_BYTES

VERSION: Final = 1
NONCE_BYTES: Final = 12
_HEADER: Final = 1 + KEY_ID_BYTES + NONCE_BYTES
_TAG_BYTES: Final = 16


def associated_data(origin: str, entry: bytes) -> bytes:
    """Return what the ciphertext is bound to: the log's origin, the entry, the part's name."""
    return b"\x00".join((origin.encode(), entry + b"body"))


def seal(cipher: AESGCM, key_id: bytes, nonce: bytes, body: bytes, aad: bytes) -> bytes:
    """Return the sealed form of ``body``. The nonce is random and never reused under one key (at most 2^32 records)."""
    return bytes((VERSION,)) + key_id + nonce + cipher.encrypt(nonce, body, aad)


def key_id_of(sealed: bytes) -> bytes:
    """Return which data key opens ``sealed``.

    Raises:
        EncodingError: not a sealed body.
    """
    if len(sealed) < _HEADER + _TAG_BYTES or sealed[0] != VERSION:
        raise EncodingError("not a sealed body of version 1")
    return sealed[1 : 1 + KEY_ID_BYTES]


def unseal(cipher: AESGCM, sealed: bytes, aad: bytes) -> bytes:
    """Return the body.

    Raises:
        AlteredError: the ciphertext, its key or what it is bound to was changed.
    """
    key_id_of(sealed)
    nonce = sealed[1 + KEY_ID_BYTES : _HEADER]
    try:
        return cipher.decrypt(nonce, sealed[_HEADER:], aad)
    except InvalidTag as error:
        raise AlteredError("sealed body does not open with its key") from error
