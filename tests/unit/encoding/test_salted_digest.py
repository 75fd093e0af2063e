"""The salted digest is HMAC-SHA256."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealgate.encoding.canonical import salted_digest
from sealgate.model.errors import EncodingError


@given(st.binary(max_size=64), st.binary(max_size=200))
def test_equals_the_library(salt, message):
    """For every salt of at most a block, the result is the library's HMAC."""
    assert salted_digest(salt, message) == hmac.digest(salt, message, "sha256")


def test_longer_salts_are_refused():
    """A salt over a block would be hashed first; we never need it, so it is refused."""
    with pytest.raises(EncodingError):
        salted_digest(b"s" * 65, b"")
