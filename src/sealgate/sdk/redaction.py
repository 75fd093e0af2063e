"""What may leave the agent's process is decided here, before anything is written: even the spool never sees the rest.

The field policy (``SEALGATE_PRIVACY``, the same file that the collector has) is applied to each item. Without one the
smallest holds: raw inputs and outputs by digest and size alone, and what the detectors find in texts is masked.
Redaction works on the record of a call and never on the call: what a tool executes is what the agent gave it.
"""

import os
import pathlib
import stat
import tomllib
from collections.abc import Callable
from typing import Any, Final

from sealgate.model.errors import ConfigurationError
from sealgate.sdk.settings import Settings

Item = dict[str, Any]

Redactor = Callable[[Item], Item]
"""item with raw values → item as it may be stored. It must not change its argument's values in place."""

MAX_POLICY_BYTES: Final = 256 * 1024
"""A policy file, in bytes."""

_CONTENT: Final = frozenset({"digest", "value"})


class PolicyRedactor:
    """Applies a field policy. The detectors are loaded with the first item, which takes some 100 ms once.

    Args:
        policy: the policy's file, the smallest policy when None.
        key: file with the key for keyed hashes (at least 32 bytes); without one, what would be hashed is dropped.
    """

    def __init__(self, policy: pathlib.Path | None = None, key: pathlib.Path | None = None) -> None:
        self._key = None if key is None else _secret(key)
        self._table = {} if policy is None else _table(policy)
        self._apply: Redactor | None = None
        if policy is not None:
            self._load()  # a wrong policy is an error now, not at the first item

    def __call__(self, item: Item) -> Item:
        """Return the item as it may be stored."""
        return (self._apply or self._load())(item)

    def _load(self) -> Redactor:
        from sealgate.privacy import FieldPolicy, RedactionKeys, redact_item  # noqa: PLC0415  # see the class

        policy, keys = FieldPolicy.from_mapping(self._table), RedactionKeys(self._key)

        def apply(item: Item) -> Item:
            return redact_item(item, policy, keys).item

        self._apply = apply
        return apply


def redactor_of(settings: Settings) -> Redactor:
    """Return the redactor that the settings ask for.

    Raises:
        ConfigurationError: the policy or the key cannot be used.
    """
    return PolicyRedactor(settings.privacy, settings.privacy_key_file)


def _table(path: pathlib.Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
        if len(data) > MAX_POLICY_BYTES:
            raise ConfigurationError(
                f"privacy policy `{path}` has {len(data)} bytes", hint=f"at most {MAX_POLICY_BYTES}"
            )
        return tomllib.loads(data.decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"privacy policy `{path}` cannot be read: {error}") from error


def _secret(path: pathlib.Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            open_to_others = os.fstat(descriptor).st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            secret = file.read(1024)
    except OSError as error:
        raise ConfigurationError(f"privacy key `{path}` cannot be read: {error.strerror or error}") from error
    if open_to_others or len(secret) < 32:
        raise ConfigurationError(f"privacy key `{path}` is open to others or too short", hint="32 random bytes, 0600")
    return secret


def drop_values(item: Item) -> Item:
    """Remove every raw value from an item, in place; digests and sizes stay. For items that are too large with them."""
    _drop(item["attributes"])
    return item


def _drop(value: Any) -> None:
    if isinstance(value, list):
        for entry in value:
            _drop(entry)
    elif isinstance(value, dict):
        if value.keys() >= _CONTENT:
            value["value"] = None
            return
        for entry in value.values():
            _drop(entry)
