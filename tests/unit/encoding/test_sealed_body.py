"""Sealed bodies: they open with their key in their place, and nowhere else."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from sealgate.encoding import sealed_body
from sealgate.model.errors import AlteredError, EncodingError, SealgateError

CIPHER = AESGCM(b"\x01" * 32)
KEY_ID = b"k" * 16
AAD = sealed_body.associated_data("ledger.example", bytes(32))


def _seal(body, nonce=b"n" * 12):
    return sealed_body.seal(CIPHER, KEY_ID, nonce, body, AAD)


@given(st.binary(max_size=500), st.binary(min_size=12, max_size=12))
def test_round_trip(body, nonce):
    """A sealed body names its key and opens to what was sealed."""
    sealed = _seal(body, nonce)

    assert sealed_body.key_id_of(sealed) == KEY_ID
    assert sealed_body.unseal(CIPHER, sealed, AAD) == body


def test_no_bit_can_change():
    """Each flipped bit is refused, except in the key id, which only says which key to try."""
    sealed = _seal(b"body of a record")

    for at in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[at // 8] ^= 1 << at % 8
        if 1 <= at // 8 <= 16:
            assert sealed_body.key_id_of(bytes(changed)) != KEY_ID
            continue
        with pytest.raises((AlteredError, EncodingError)):
            sealed_body.unseal(CIPHER, bytes(changed), AAD)


def test_ciphertexts_cannot_be_swapped():
    """A body opens neither for another statement, nor another log, nor with another key."""
    sealed = _seal(b"body")

    for cipher, aad in (
        (CIPHER, sealed_body.associated_data("ledger.example", b"\x01" * 32)),
        (CIPHER, sealed_body.associated_data("another.example", bytes(32))),
        (AESGCM(b"\x02" * 32), AAD),
    ):
        with pytest.raises(AlteredError):
            sealed_body.unseal(cipher, sealed, aad)
    assert sealed_body.unseal(CIPHER, sealed, AAD) == b"body"


@given(st.binary(max_size=100))
def test_any_bytes_give_our_error(data):
    """Garbage is refused as such."""
    with pytest.raises(SealgateError):
        sealed_body.unseal(CIPHER, data, AAD)
