"""Reads the field policy of an installation."""

from pathlib import Path

from sealgate.model.errors import ConfigurationError
from sealgate.privacy import FieldPolicy

MAX_POLICY_BYTES = 1 << 20


def load_policy(path: Path) -> FieldPolicy:
    """Return the policy of a TOML file; an empty path is the built-in policy, which keeps the least.

    Raises:
        ConfigurationError: unreadable, too long, malformed, or something in it is not allowed.
    """
    if path == Path():
        return FieldPolicy.from_mapping({})
    try:
        with path.open("rb") as file:
            data = file.read(MAX_POLICY_BYTES + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"privacy policy `{path}` cannot be read: {error}") from error
    if len(data) > MAX_POLICY_BYTES:
        raise ConfigurationError(f"privacy policy `{path}` is longer than {MAX_POLICY_BYTES} bytes")
    return FieldPolicy.from_toml(text)
