"""Values and tokens: when two values are the same, and how a token looks. Pure."""

import base64
import hmac
import re
import unicodedata
from typing import Final

from sealgate.model.errors import InputError

TYPE: Final = re.compile(r"[a-z][a-z0-9_.]{0,63}", re.ASCII)
VALUE_TOKEN: Final = re.compile(r"tok_[a-z2-7]{26}", re.ASCII)
MAX_VALUE_CHARS: Final = 1024
TOKEN_BYTES: Final = 17
"""Random bytes behind a token: 26 letters of base 32 carry 130 bits."""

_CASELESS: Final = frozenset({"email", "name", "address", "street", "city", "iban", "url"})
_DIGITS: Final = frozenset({"phone", "card", "iban", "ssn", "national_id", "tax_id", "passport"})
_SEPARATORS: Final = re.compile(r"[\s.()/-]+")
_SPACES: Final = re.compile(r"\s+")


def canonical_value(kind: str, value: str) -> str:
    """Return the form in which values of a type are compared: NFC, no outer spaces; case or separators as they matter.

    Raises:
        InputError: the type or the value cannot be kept.
    """
    if not TYPE.fullmatch(kind):
        raise InputError("a value's type is malformed", hint="1 to 64 of a-z, 0-9, `_`, `.`, a letter first")
    if not 0 < len(value) <= MAX_VALUE_CHARS:
        raise InputError(f"a `{kind}` value has {len(value)} characters", hint=f"use 1 to {MAX_VALUE_CHARS}")
    text = unicodedata.normalize("NFC", value)
    text = _SEPARATORS.sub("", text) if kind in _DIGITS else _SPACES.sub(" ", text).strip()
    text = text.casefold() if kind in _CASELESS else text
    if not text:
        raise InputError(f"a `{kind}` value holds nothing but separators", hint="leave it out")
    return text


def lookup_digest(key: bytes, kind: str, value: str) -> bytes:
    """Return the keyed digest by which a value is found; raises as ``canonical_value``."""
    return hmac.digest(key, kind.encode() + b"\x00" + canonical_value(kind, value).encode(), "sha256")


def token(prefix: str, randomness: bytes) -> str:
    """Return a token: ``prefix`` and 26 letters of ``TOKEN_BYTES`` random bytes."""
    return f"{prefix}_{base64.b32encode(randomness).decode()[:26].lower()}"
