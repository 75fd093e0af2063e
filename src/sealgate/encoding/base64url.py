"""base64url without padding (RFC 4648 section 5), as records and tokens write bytes."""

import base64
from binascii import b2a_base64
from typing import Final

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")


def encode(data: bytes) -> str:
    """Return the text of ``data``. Every record has several: the library's two layers of functions cost more."""
    return b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes that ``encode`` wrote."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
