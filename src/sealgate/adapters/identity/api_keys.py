"""Bearer API keys: ``sg_<id>_<secret>``, 256 random bits, shown once and kept only as SHA-256.

A plain hash is right for a secret of 256 random bits: there is nothing to guess, so a slow hash would only slow us. The
file is private, canonical JSON, replaced whole; a running authority sees a change with the next request.

Trusted: whoever can write the file can make keys. Not trusted: whoever reads it learns no key.
"""

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from sealgate.adapters import protected_files
from sealgate.adapters.configuration.roles import ROLES, not_separate
from sealgate.encoding import canonical
from sealgate.model.errors import ConfigurationError, InputError, SealgateError
from sealgate.model.evaluation import Identity
from sealgate.model.identifiers import require_name

FORMAT: Final = "sealgate-api-keys/v1"
SECRET_BYTES: Final = 32
_ID_BYTES: Final = 8
_TOKEN: Final = re.compile(r"sg_([0-9a-f]{16})_([A-Za-z0-9_-]{43})", re.ASCII)
_NO_KEY: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key as it is kept: who it proves, what it may do, when it was made and revoked."""

    id: str
    name: str
    sha256: str
    agents: tuple[str, ...]
    roles: tuple[str, ...]
    created: str
    revoked: str | None = None


class ApiKeys:
    """The keys of one file, read again whenever the file changes. A missing file is an empty one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = None
        self._keys: dict[str, ApiKey] = {}

    def identify(self, token: str) -> Identity | None:
        """Return whom a token proves, or None: malformed, unknown, revoked, or the file cannot be trusted."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        try:
            self._refresh()
        except SealgateError:
            return None  # `sealgate doctor` says why; no key is better than an old one that may be revoked
        key = self._keys.get(match[1])
        expected = bytes.fromhex(key.sha256) if key else _NO_KEY
        same = hmac.compare_digest(hashlib.sha256(match[2].encode()).digest(), expected)
        if not same or key is None or key.revoked is not None:
            return None
        return Identity(principal=key.name, proof="api_key", agents=frozenset(key.agents), roles=frozenset(key.roles))

    def all(self) -> list[ApiKey]:
        """Return all keys, revoked ones too, oldest first.

        Raises:
            ConfigurationError: the file is open to others or malformed.
        """
        self._refresh()
        return sorted(self._keys.values(), key=lambda key: (key.created, key.id))

    def add(self, name: str, *, agents: Iterable[str], roles: Iterable[str], created: str) -> tuple[ApiKey, str]:
        """Make a key, durable on return; return it with its token, which is never shown again.

        Raises:
            InputError: a name cannot be used, or a role does not exist.
        """
        require_name(name, "name")
        agents, roles = tuple(sorted(set(agents))), tuple(sorted(set(roles)))
        for agent in agents:
            require_name(agent, "agent")
        for role in roles:
            if role not in ROLES:
                raise InputError(f"`{role}` is not a role", hint=f"one of {', '.join(ROLES)}")
        problem = not_separate(roles)
        if problem:
            raise InputError(f"key `{name}` {problem}", hint="give one of them to another person")
        secret = base64.urlsafe_b64encode(os.urandom(SECRET_BYTES)).rstrip(b"=").decode()
        key_id = os.urandom(_ID_BYTES).hex()
        key = ApiKey(key_id, name, hashlib.sha256(secret.encode()).hexdigest(), agents, roles, created)
        self._refresh()
        self._write({**self._keys, key_id: key})
        return key, f"sg_{key_id}_{secret}"

    def revoke(self, key_id: str, *, revoked: str) -> ApiKey:
        """Revoke a key, durable on return; it stays in the list. Revoking twice keeps the first time.

        Raises:
            InputError: there is no such key.
        """
        self._refresh()
        key = self._keys.get(key_id)
        if key is None:
            raise InputError(f"there is no API key `{key_id[:40]}`", hint="`sealgate keys api list` shows all")
        if key.revoked is None:
            key = replace(key, revoked=revoked)
            self._write({**self._keys, key_id: key})
        return key

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._seen, self._keys = None, {}
            return
        except OSError as error:
            raise ConfigurationError(f"API keys in `{self._path}` cannot be read: {error.strerror}") from error
        seen = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
        if seen != self._seen:
            self._keys = _parse(protected_files.read(self._path))
            self._seen = seen

    def _write(self, keys: dict[str, ApiKey]) -> None:
        entries: list[canonical.Json] = [
            {**asdict(key), "agents": list(key.agents), "roles": list(key.roles)} for _, key in sorted(keys.items())
        ]
        data = canonical.encode({"format": FORMAT, "keys": entries}, max_bytes=protected_files.MAX_BYTES - 1)
        protected_files.replace(self._path, data + b"\n")
        self._seen = None


def _parse(data: bytes) -> dict[str, ApiKey]:
    value = canonical.decode(data.removesuffix(b"\n"), max_bytes=protected_files.MAX_BYTES)
    match value:
        case {"format": "sealgate-api-keys/v1", "keys": list() as entries, **more} if not more:
            keys = [_entry(entry) for entry in entries]
            return {key.id: key for key in keys}
        case _:
            raise ConfigurationError("not a file of API keys", hint="restore it, or move it away and add keys anew")


def _entry(entry: canonical.Json) -> ApiKey:
    match entry:
        case {
            "id": str() as key_id,
            "name": str() as name,
            "sha256": str() as digest,
            "agents": list() as agents,
            "roles": list() as roles,
            "created": str() as created,
            "revoked": (str() | None) as revoked,
            **more,
        } if not more and re.fullmatch(r"[0-9a-f]{64}", digest):
            texts = (tuple(str(agent) for agent in agents), tuple(str(role) for role in roles))
            return ApiKey(key_id, name, digest, *texts, created, revoked)
        case _:
            raise ConfigurationError("the file of API keys has a malformed entry", hint="restore it from a copy")
