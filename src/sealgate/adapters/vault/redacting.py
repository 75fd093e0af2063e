"""Redaction with the vault at hand: known values of registered persons are found, values become tokens.

Known values are fetched before the first item and looked after every few seconds; they are in memory only. Until they
came once nothing is redacted, because unknown names would stay. Tokens that are not at hand are asked for; where the
vault does not give one, the value is masked. A worker process makes all this anew for itself.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sealgate.adapters.redaction import PolicyRedactor
from sealgate.adapters.vault.client import VaultClient
from sealgate.model.errors import InputError, UnavailableError
from sealgate.privacy import KnownValue, KnownValues, redact_item
from sealgate.privacy.redacted import Wanted
from sealgate.vault.tokens import MAX_VALUES, Value
from sealgate.vault.values import canonical_value

_REFRESH_S: Final = 5.0
_MAX_TOKENS: Final = 100_000


class VaultTokens:
    """Tokens that were given out lately (privacy.TokenSource)."""

    def __init__(self, client: VaultClient) -> None:
        self._client = client
        self._tokens: OrderedDict[tuple[str, str, str | None], str] = OrderedDict()

    def token(self, kind: str, value: str, subject: str | None) -> str | None:
        """Return the token of a value, or None where it has to be asked for first."""
        try:
            return self._tokens.get((kind, canonical_value(kind, value), subject))
        except InputError:
            return None

    def fetch(self, wanted: Sequence[Wanted]) -> bool:
        """Ask for tokens; tell whether any came."""
        values = [Value(each.type, each.value, each.subject) for each in wanted[:MAX_VALUES]]
        try:
            tokens = self._client.exchange(values)
            for value, token in zip(values, tokens, strict=True):
                self.keep(value.type, value.value, value.subject, token)
        except (UnavailableError, InputError):
            return False  # they are masked
        return bool(tokens)

    def keep(self, kind: str, value: str, subject: str | None, token: str) -> None:
        """Remember a token."""
        self._tokens[kind, canonical_value(kind, value), subject] = token
        if len(self._tokens) > _MAX_TOKENS:
            self._tokens.popitem(last=False)

    def clear(self) -> None:
        """Forget all, because a person may have been erased."""
        self._tokens.clear()


class VaultRedactor(PolicyRedactor):
    """Applies one policy with the known values and tokens of one vault."""

    def __init__(self, table: dict[str, Any], hash_key: bytes | None, vault: Path | None = None) -> None:
        super().__init__(table, hash_key)
        self._vault = vault
        self._client = VaultClient(vault or Path())
        self._cache = VaultTokens(self._client)
        self._version: str | None = None
        self._next = 0.0
        self._lock = threading.Lock()

    def at(self, vault: Path) -> "VaultRedactor":
        """Return the same redactor with this vault."""
        return VaultRedactor(self._table, self._hash_key, vault)

    def redact(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return the item as it may be kept.

        Raises:
            UnavailableError: the vault's known values were never there.
        """
        self._refresh()
        done = redact_item(item, self._policy, self._keys, self.known, self._cache)
        if done.needs_tokens and self._cache.fetch(done.needs_tokens):
            done = redact_item(item, self._policy, self._keys, self.known, self._cache)
        return done.item

    def _refresh(self) -> None:
        if time.monotonic() < self._next:
            return
        with self._lock:
            if time.monotonic() < self._next:
                return
            try:
                found = self._client.known(self._version)
            except UnavailableError:
                if self.known is None:
                    raise
                found = None  # what we have serves on
            self._next = time.monotonic() + _REFRESH_S
            if found is not None and found.values is not None:
                self._cache.clear()
                self.known = KnownValues(KnownValue(each.type, each.value, each.subject) for each in found.values)
                for each in found.values:
                    self._cache.keep(each.type, each.value, each.subject, each.token)
                self._version = found.version

    def __reduce__(self) -> tuple[Any, ...]:
        return VaultRedactor, (self._table, self._hash_key, self._vault)
