"""Signing with the interpreter lock held gives what PyNaCl gives."""

import nacl.bindings
from hypothesis import given
from hypothesis import strategies as st

from sealgate.adapters.keys import sodium


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_equals_the_binding(seed, message):
    """Both ways give the same signature, and it verifies."""
    public, secret = nacl.bindings.crypto_sign_seed_keypair(seed)

    signature = sodium.sign(message, secret)

    assert signature == sodium._releasing_the_lock(message, secret)
    assert nacl.bindings.crypto_sign_open(signature + message, public) == message


def test_messages_with_zero_bytes_are_signed_whole():
    """A zero byte does not end the message, as it would end a C string."""
    _, secret = nacl.bindings.crypto_sign_seed_keypair(b"k" * 32)

    assert sodium.sign(b"a\x00b", secret) != sodium.sign(b"a\x00c", secret)
