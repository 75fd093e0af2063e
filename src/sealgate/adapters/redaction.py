"""The site's field policy as the collector applies it to what arrives (ports.collecting.Redactor).

Senders redact first; this is the second look, by the policy of the place where things are kept. A worker process gets
the policy's text and makes its own detectors from it.
"""

import tomllib
from pathlib import Path
from typing import Any, Self

from sealgate.model.errors import ConfigurationError
from sealgate.privacy import FieldPolicy, KnownValues, RedactionKeys, TokenSource, redact_item

_MAX_POLICY_BYTES = 1 << 20


class PolicyRedactor:
    """Applies one policy. ``known`` and ``tokens`` may be replaced while it runs."""

    def __init__(self, table: dict[str, Any], hash_key: bytes | None) -> None:
        self._table = table
        self._hash_key = hash_key
        self._policy = FieldPolicy.from_mapping(table)
        self._keys = RedactionKeys(hash_key)
        self.known: KnownValues | None = None
        self.tokens: TokenSource | None = None

    @classmethod
    def read(cls, policy: Path | None, hash_key: bytes | None) -> Self:
        """Return the redactor of a policy file; None: the smallest policy.

        Raises:
            ConfigurationError: the file cannot be read or is not a policy, or the key is too short.
        """
        try:
            if policy is not None and policy.stat().st_size > _MAX_POLICY_BYTES:
                raise ConfigurationError(f"privacy policy `{policy}` is too long", hint="shorten it")
            table = {} if policy is None else tomllib.loads(policy.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(f"privacy policy `{policy}` cannot be read: {error}") from error
        try:
            return cls(table, hash_key)
        except ValueError as error:
            raise ConfigurationError(str(error), hint="make one: `head -c 32 /dev/urandom`") from error

    def redact(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return the item as it may be kept."""
        return redact_item(item, self._policy, self._keys, self.known, self.tokens).item

    def __reduce__(self) -> tuple[Any, ...]:
        return PolicyRedactor, (self._table, self._hash_key)
