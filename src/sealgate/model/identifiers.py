"""Identifiers: UUIDv7 record ids, W3C trace context, strict names.

Pure: time and randomness are arguments.
"""

import re
import unicodedata

from .errors import InputError
from .limits import MAX_IDENTIFIER_CHARS

_TRACEPARENT = re.compile(r"\A00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z", re.ASCII)
_UUID = re.compile(r"\A[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z", re.ASCII)


def uuid7(unix_ms: int, random10: bytes) -> str:
    """Return the UUIDv7 (RFC 9562 section 5.7) of a time in Unix milliseconds and ten random bytes."""
    return uuid_text(uuid7_number(unix_ms, random10))


def uuid7_number(unix_ms: int, random10: bytes) -> int:
    """Return ``uuid7`` as a number."""
    value = (unix_ms & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(random10, "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return value & ~(0x3 << 62) | 0x2 << 62


def uuid_text(number: int) -> str:
    """Return a UUID's text."""
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def require_uuid(text: str, what: str) -> str:
    """Return ``text`` if it is a lower-case UUID.

    Raises:
        InputError: it is not.
    """
    if not _UUID.match(text):
        raise InputError(f"{what} `{text[:64]}` is not a lower-case UUID", hint="use the id as it was given out")
    return text


def require_name(text: str, what: str) -> str:
    """Return ``text`` if it can name an agent, tool or task: NFC, printable, 1 to 256 characters, no edge spaces.

    Look-alike forms are refused, never normalized: a name is compared byte for byte everywhere else.

    Raises:
        InputError: it cannot.
    """
    if not 0 < len(text) <= MAX_IDENTIFIER_CHARS:
        raise InputError(f"{what} has {len(text)} characters", hint=f"use 1 to {MAX_IDENTIFIER_CHARS}")
    if not text.isascii() and unicodedata.normalize("NFC", text) != text:
        raise InputError(f"{what} `{text}` is not in Unicode normal form C", hint="send it in NFC")
    if not text.isprintable() or text != text.strip():
        raise InputError(f"{what} has control characters or spaces at an edge", hint="remove them")
    return text


def parse_traceparent(header: str) -> tuple[str, str]:
    """Return (trace id, span id) of a W3C ``traceparent`` of version 00.

    Raises:
        InputError: the header is malformed, or an id is all zeros (W3C Trace Context section 3.2.2).
    """
    match = _TRACEPARENT.match(header)
    if not match or not match[1].strip("0") or not match[2].strip("0"):
        raise InputError(f"traceparent `{header[:80]}` is malformed", hint="send `00-<32 hex>-<16 hex>-<2 hex>`")
    return match[1], match[2]
