"""The key for what is hashed. Without a key there is no hash: a bare hash of personal data is one look-up away."""

import base64
import hmac
from dataclasses import dataclass, field

MIN_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class RedactionKeys:
    """The site's key for keyed hashes; None where there is none, then ``hash`` drops the field."""

    hash_key: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.hash_key is not None and len(self.hash_key) < MIN_KEY_BYTES:
            raise ValueError(f"the key for hashes has {len(self.hash_key)} bytes, at least {MIN_KEY_BYTES} are needed")

    def hash(self, purpose: str, data: bytes) -> str | None:
        """Return HMAC-SHA256 of ``data`` for one purpose, base64url, or None without a key."""
        if self.hash_key is None:
            return None
        mac = hmac.digest(self.hash_key, purpose.encode() + b"\0" + data, "sha256")
        return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
