"""What signs the messages about approvals that leave, and the answers that come back: HMAC-SHA256 with a shared key."""

import hmac
from hashlib import sha256
from typing import Final

MIN_KEY_BYTES: Final = 32


def signature(key: bytes, timestamp: int, nonce: str, body: bytes) -> str:
    """Return the hex HMAC of ``v1.<timestamp>.<nonce>.<body>``."""
    return hmac.new(key, f"v1.{timestamp}.{nonce}.".encode() + body, sha256).hexdigest()
