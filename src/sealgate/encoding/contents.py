"""What an item keeps of an input or output: digest and size, never the bytes.

``digest`` = base64url(HMAC-SHA256(salt of the item, SHA-256(bytes))). With a salt of its own for each item, equal
values in two items do not show, and a value is found again only by somebody who has both the value and the item.
"""

import hashlib
from typing import Final

from . import base64url, canonical
from .canonical import Json

ITEM_SALT_BYTES: Final = 16
"""Salt of one item's digests, in bytes: its purpose is to keep equal values apart."""


def salt_text(salt: bytes) -> str:
    """Return a salt or digest as it is written in an item: base64url without padding."""
    return base64url.encode(salt)


def salt_bytes(text: str) -> bytes:
    """Return the bytes of ``salt_text``."""
    return base64url.decode(text)


def digest(salt: bytes, data: bytes) -> str:
    """Return the digest of ``data`` under an item's salt."""
    return salt_text(canonical.salted_digest(salt, hashlib.sha256(data).digest()))


def octets(value: Json | bytes, *, max_bytes: int) -> tuple[bytes, str]:
    """Return the bytes that are digested, and their media type: bytes and texts as they are, JSON as RFC 8785.

    Raises:
        EncodingError: the value has no exact form, or it is longer than ``max_bytes``.
    """
    if isinstance(value, bytes):
        return value, "application/octet-stream"
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass"), "text/plain"
    return canonical.encode_arguments(value, max_bytes=max_bytes), "application/json"
