"""What an item keeps of an input: a digest under the item's own salt."""

import base64
import hashlib
import hmac

import pytest

from sealgate.encoding import contents
from sealgate.model.errors import EncodingError


def test_the_digest_is_the_documented_one():
    """HMAC-SHA256 of the salt over SHA-256 of the bytes, by the library's own functions."""
    salt, data = bytes(range(16)), b"Jane Roe"
    expected = hmac.new(salt, hashlib.sha256(data).digest(), "sha256").digest()

    assert contents.digest(salt, data) == base64.urlsafe_b64encode(expected).rstrip(b"=").decode()
    assert contents.digest(bytes(16), data) != contents.digest(salt, data)


def test_salts_come_back():
    """Text and bytes of a salt are the same thing."""
    for size in (15, 16, 17):
        assert contents.salt_bytes(contents.salt_text(bytes(range(size)))) == bytes(range(size))


def test_json_is_digested_in_canonical_form():
    """Equal JSON has equal bytes in whatever order it came; texts and bytes are taken as they are."""
    assert contents.octets({"b": 1, "a": 2.0}, max_bytes=99) == (b'{"a":2,"b":1}', "application/json")
    assert contents.octets("é", max_bytes=99) == ("é".encode(), "text/plain")
    assert contents.octets(b"\xff", max_bytes=99) == (b"\xff", "application/octet-stream")


def test_what_has_no_exact_form_is_refused():
    """A value that is not JSON has no digest; neither has one that is too long."""
    with pytest.raises(EncodingError):
        contents.octets({"a": {1, 2}}, max_bytes=99)  # type: ignore[dict-item]
    with pytest.raises(EncodingError):
        contents.octets(["x" * 100], max_bytes=99)
