"""Ed25519: verifying, and refusing weak public keys.

libsodium verifies in about half the time of OpenSSL and releases the interpreter meanwhile. It refuses non-canonical
scalars and small-order or non-canonical keys itself; keys are refused at import as well, where an operator can act.
"""

import hmac
from typing import Final

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_open
from nacl.exceptions import BadSignatureError

from ..model.errors import AlteredError, EncodingError

PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


def require_public_key(raw: bytes, what: str = "public key") -> bytes:
    """Return ``raw`` if it is a canonical encoding of a point in the prime-order group.

    Raises:
        EncodingError: wrong length, not canonical, not on the curve, of small or mixed order.
    """
    if len(raw) != PUBLIC_KEY_BYTES:
        raise EncodingError(f"{what} has {len(raw)} bytes", hint="a raw Ed25519 public key has 32")
    if not crypto_core_ed25519_is_valid_point(raw):
        raise EncodingError(f"{what} is a weak or malformed Ed25519 key", hint="generate a new key")
    return raw


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` over ``message`` is valid under ``public_key`` (RFC 8032, pure Ed25519)."""
    if len(signature) != SIGNATURE_BYTES or len(public_key) != PUBLIC_KEY_BYTES:
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return False
    return True


def require_signed(public_key: bytes, message: bytes, signature: bytes, what: str, *, index: int | None = None) -> None:
    """Return only if the signature is valid.

    Raises:
        AlteredError: it is not; the message says ``what`` was not signed so.
    """
    if not is_signed(public_key, message, signature):
        raise AlteredError(f"{what} does not carry a valid signature of its key", index=index)


def equal_secrets(left: bytes, right: bytes) -> bool:
    """Compare secrets in time that does not depend on where they differ."""
    return hmac.compare_digest(left, right)
