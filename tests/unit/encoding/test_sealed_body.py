"""Sealed bodies: they open with their key in their place, and nowhere else."""

import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from sealgate.encoding import sealed_body
from sealgate.model.errors import AlteredError, EncodingError, SealgateError
from sealgate.model.limits import MAX_BATCH_BODY_BYTES

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


def _seal_compressed(body, *, feed=None):
    compressor = sealed_body.compressor()
    parts = [compressor.compress(part) for part in (feed or [body])]
    compressed = b"".join([*parts, compressor.flush()])
    return sealed_body.seal_compressed(CIPHER, KEY_ID, b"n" * 12, compressed, AAD)


@given(st.binary(max_size=5000), st.integers(0, 5000))
def test_a_compressed_body_opens_to_what_was_sealed(body, at):
    """In whatever parts it was fed; it names its key like any other."""
    sealed = _seal_compressed(body, feed=[body[:at], body[at:]])

    assert sealed[0] == 2
    assert sealed_body.key_id_of(sealed) == KEY_ID
    assert sealed_body.unseal(CIPHER, sealed, AAD) == body


def test_no_bit_of_a_compressed_body_can_change():
    """It is authenticated before it is expanded; only the key id, which is a hint, may differ."""
    sealed = _seal_compressed(b"body of a record" * 10)

    for at in (*range(8), *range(17 * 8, len(sealed) * 8)):
        changed = bytearray(sealed)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises((AlteredError, EncodingError)):
            sealed_body.unseal(CIPHER, bytes(changed), AAD)


@pytest.mark.parametrize("tells_its_size", [True, False])
def test_what_expands_beyond_the_bound_is_refused(tells_its_size):
    """A few kilobytes that stand for gigabytes take no memory, whether the frame tells its size or not."""

    def sealed(size):
        data = bytes(size)
        if tells_its_size:
            compressed = zstandard.ZstdCompressor().compress(data)
        else:
            compressor = zstandard.ZstdCompressor().compressobj()
            compressed = compressor.compress(data) + compressor.flush()
        return sealed_body.seal_compressed(CIPHER, KEY_ID, b"n" * 12, compressed, AAD)

    assert len(sealed_body.unseal(CIPHER, sealed(MAX_BATCH_BODY_BYTES), AAD)) == MAX_BATCH_BODY_BYTES
    with pytest.raises(EncodingError, match="expand"):
        sealed_body.unseal(CIPHER, sealed(MAX_BATCH_BODY_BYTES + 1), AAD)


@pytest.mark.parametrize("compressed", [b"", b"no frame", zstandard.ZstdCompressor().compress(b"body") + b"more"])
def test_what_is_no_single_frame_is_refused(compressed):
    """Two readers could take two things for the body."""
    sealed = sealed_body.seal_compressed(CIPHER, KEY_ID, b"n" * 12, compressed, AAD)

    with pytest.raises(EncodingError):
        sealed_body.unseal(CIPHER, sealed, AAD)
