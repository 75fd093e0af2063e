"""The key-encryption key in AWS KMS: it never leaves there; each data key goes there once to be wrapped or opened.

The encryption context binds each wrapped key to this use and to the log's origin: KMS refuses to open it as anything
else, and its own audit trail and key policies see the context. A request is tried twice, for three seconds at most
each; new scopes and periods and first reads wait that long when KMS does not answer, everything in memory goes on.

Trusted: the service and whoever its key policy lets decrypt.
"""

from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sealgate.model.errors import AlteredError, UnavailableError

_ATTEMPTS: Final = 2
_CONNECT_S: Final = 1
_READ_S: Final = 2
_MAX_WRAPPED_BYTES: Final = 1024
_HINTS: Final = {
    "AccessDeniedException": "allow kms:Encrypt and kms:Decrypt on this key (who only reads: kms:Decrypt)",
    "DisabledException": "enable the key",
    "KMSInvalidStateException": "the key is disabled or waits for its deletion; cancel that",
    "NotFoundException": "check keys.kms_key and keys.kms_region",
    "UnrecognizedClientException": "check the AWS credentials",
}


class KmsWrappingKey:
    """Wraps data keys with a symmetric KMS key (ports.wrapping.WrappingKey)."""

    def __init__(self, key: str, *, origin: str, region: str = "", endpoint: str = "") -> None:
        self._key = key
        self._context = {"sealgate-purpose": "data-key", "sealgate-origin": origin}
        bounded = Config(
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        )
        try:
            self._client = boto3.client(
                "kms", region_name=region or None, endpoint_url=endpoint or None, config=bounded
            )
        except (BotoCoreError, ValueError) as error:
            raise UnavailableError(f"KMS cannot be reached: {error}", hint="set keys.kms_region") from error

    def wrap(self, key: bytes) -> bytes:
        """Return the wrapped form of a 32-byte key.

        Raises:
            UnavailableError: KMS cannot be reached or refuses.
        """
        try:
            answer = self._call("encrypt", Plaintext=key)
        except ClientError as error:
            raise _unavailable("encrypt", error) from error
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, wrapped: bytes) -> bytes:
        """Return the key.

        Raises:
            AlteredError: ``wrapped`` was changed, or another key or use wrapped it.
            UnavailableError: KMS cannot be reached or refuses.
        """
        if not 0 < len(wrapped) <= _MAX_WRAPPED_BYTES:
            raise AlteredError(f"wrapped data key has {len(wrapped)} bytes")
        try:
            key = self._decrypt(wrapped)
        except ClientError as error:
            if not self._is_well():
                raise _unavailable("decrypt", error) from error
            # KMS opens what it wrapped just now, so this is no question of permission.
            raise AlteredError("wrapped data key does not open", hint="is this the KMS key that wrapped it?") from error
        if len(key) != 32:
            raise AlteredError(f"wrapped data key holds {len(key)} bytes")
        return key

    def _decrypt(self, wrapped: bytes) -> bytes:
        answer = self._call("decrypt", CiphertextBlob=wrapped)
        return bytes(answer["Plaintext"])

    def _is_well(self) -> bool:
        """Tell whether KMS opens what it wraps now; it answers "denied" also to a ciphertext of another key."""
        try:
            return self._decrypt(self._call("encrypt", Plaintext=bytes(32))["CiphertextBlob"]) == bytes(32)
        except (ClientError, UnavailableError):
            return False

    def _call(self, operation: str, **members: Any) -> dict[str, Any]:
        try:
            call = getattr(self._client, operation)
            answer: dict[str, Any] = call(KeyId=self._key, EncryptionContext=self._context, **members)
        except BotoCoreError as error:
            hint = "check network, keys.kms_endpoint and the AWS credentials"
            raise UnavailableError(f"KMS failed to {operation}: {type(error).__name__}", hint=hint) from error
        return answer


def _unavailable(operation: str, error: ClientError) -> UnavailableError:
    code = str(error.response.get("Error", {}).get("Code", "unknown"))
    hint = _HINTS.get(code, "the AWS status page and CloudTrail say more")
    return UnavailableError(f"KMS refused to {operation}: {code}", hint=hint)
