"""Dynamic PostgreSQL roles: a login that exists for one permitted action.

``issue`` makes a role whose name is derived from the credential's id, with a random password (the server gets only its
SCRAM verifier, RFC 5802, so that no statement log ever has it), ``VALID UNTIL`` the expiry, and the configured grants.
``revoke`` forbids new logins, ends its sessions and waits until they are gone, gives what it owned to the
administrator, drops it, and looks for sessions once more.

Grants are written in a small language, and every name in them is quoted here::

    select, insert on table shop.orders      usage on schema shop      execute on function shop.total(integer)
    usage on sequence shop.order_ids         role readers

PostgreSQL checks ``VALID UNTIL`` only when a password is used: a session that is open goes on after it. Sessions end
because the broker revokes at the expiry as well.
"""

import base64
import hashlib
import hmac
import os
import re
import secrets
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import pg8000.core
import pg8000.native

from sealgate.model.credentials import Result
from sealgate.model.errors import ConfigurationError, UnavailableError
from sealgate.ports.credentials import Ended, Order, Secret

_TIMEOUT_S: Final = 4
_GONE_S: Final = 3.0
_ITERATIONS: Final = 4096
_MAX_NAME_BYTES: Final = 63
_PRIVILEGES: Final = {
    "table": {"select", "insert", "update", "delete", "truncate", "references", "trigger"},
    "sequence": {"usage", "select", "update"},
    "schema": {"usage", "create"},
    "function": {"execute"},
    "database": {"connect", "temporary", "create"},
}
_GRANT: Final = re.compile(r"([a-z]+(?:\s*,\s*[a-z]+)*) on (table|sequence|schema|function|database) (.+)", re.ASCII)
_FUNCTION: Final = re.compile(r"(.+?)\(([A-Za-z0-9_ ,\[\]]*)\)", re.ASCII)
_TYPE: Final = re.compile(r"[a-z][a-z0-9_]*(?: [a-z]+)*(?:\[\])?", re.ASCII)


def quoted(name: str) -> str:
    """Return a name as a quoted identifier.

    Raises:
        ConfigurationError: no identifier: empty, too long, or with a character that no name should have.
    """
    if not name or len(name.encode()) > _MAX_NAME_BYTES or not name.isprintable():
        raise ConfigurationError(f"`{name[:80]}` cannot be a name in PostgreSQL", hint="1 to 63 printable bytes")
    return '"' + name.replace('"', '""') + '"'


def _path(text: str) -> str:
    """Return ``schema.name`` with each part quoted; a part in double quotes may have dots."""
    parts = re.findall(r'"(?:[^"]|"")+"|[^".]+', text)
    if ".".join(parts) != text or not 1 <= len(parts) <= 2:
        raise ConfigurationError(f"`{text[:80]}` is not a name of the form schema.name")
    return ".".join(quoted(part[1:-1].replace('""', '"') if part.startswith('"') else part) for part in parts)


def read_grant(text: str) -> str:
    """Return what stands between ``GRANT`` and ``TO`` for one grant of the configuration.

    Raises:
        ConfigurationError: it is not one of the forms above.
    """
    kind, _, name = text.partition(" ")
    if kind == "role" and name:
        return quoted(name)
    match = _GRANT.fullmatch(text)
    wanted = [part.strip() for part in match[1].split(",")] if match else []
    if match is None or not set(wanted) <= _PRIVILEGES[match[2]]:
        hint = "e.g. `select on table shop.orders`, `usage on schema shop`, `role readers`"
        raise ConfigurationError(f"grant `{text[:120]}` is not understood", hint=hint)
    target = match[3]
    if match[2] == "function":
        called = _FUNCTION.fullmatch(target)
        types = [part.strip() for part in called[2].split(",")] if called and called[2].strip() else []
        if called is None or not all(_TYPE.fullmatch(part) for part in types):
            raise ConfigurationError(
                f"`{target[:80]}` is not a function with its types", hint="e.g. shop.total(integer)"
            )
        return f"{', '.join(wanted).upper()} ON FUNCTION {_path(called[1])}({', '.join(types)})"
    return f"{', '.join(wanted).upper()} ON {match[2].upper()} {_path(target)}"


def scram_verifier(password: str, salt: bytes) -> str:
    """Return what PostgreSQL stores of a password (SCRAM-SHA-256); ``password`` is ASCII, so SASLprep keeps it."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${_ITERATIONS}:{salt64}${stored64}:{server64}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the database is, and as whom roles are made there. A ``host`` that begins with `/` is a socket's folder."""

    host: str
    port: int
    database: str
    user: str
    password: Callable[[], bytes] | None = field(default=None, repr=False)
    certificates: ssl.SSLContext | None = field(default=None, repr=False)


class PostgresBackend:
    """Makes and drops roles (ports.credentials.CredentialBackend). One connection per call: calls are rare.

    ``owner`` tells the roles of this authority and source from others' on the same server.
    """

    kind: Final = "postgres"
    audiences: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()

    def __init__(self, place: Place, *, owner: str, grants: tuple[str, ...]) -> None:
        self._place = place
        self._grants = tuple(read_grant(grant) for grant in grants)
        tag = hashlib.sha256(owner.encode()).hexdigest()[:8]
        self._prefix = f"sealgate_{tag}_"
        if not grants:
            raise ConfigurationError("a PostgreSQL credential without grants is of no use", hint="set `grants`")

    def issue(self, order: Order) -> Secret:
        """Make the role; all of it or nothing."""
        role, password = self._role(order.credential_id), secrets.token_urlsafe(32)
        until = datetime.fromtimestamp(order.expires_ms / 1000, UTC).isoformat()
        with self._connection() as connection:
            connection.run("BEGIN")
            connection.run(
                f"CREATE ROLE {quoted(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION"
                f" PASSWORD '{scram_verifier(password, os.urandom(16))}' VALID UNTIL '{until}'"
            )
            for grant in self._grants:
                connection.run(f"GRANT {grant} TO {quoted(role)}")
            connection.run("COMMIT")
        place = self._place
        return Secret(
            {
                "host": place.host,
                "port": str(place.port),
                "database": place.database,
                "user": role,
                "password": password,
            }
        )

    def revoke(self, ended: Ended) -> Result:
        """Drop the role and end its sessions; when this returns none is left."""
        role = self._role(ended.credential_id)
        with self._connection() as connection:
            found = connection.run("SELECT oid::bigint FROM pg_roles WHERE rolname = :name", name=role)
            if not found:
                return "revoked"
            oid = int(found[0][0])
            connection.run(f"ALTER ROLE {quoted(role)} NOLOGIN VALID UNTIL '-infinity'")
            # Of a role it made, the administrator may take over its rights: to end its sessions, to take what it owned.
            connection.run(f"GRANT {quoted(role)} TO CURRENT_USER")
            self._end_sessions(connection, oid)
            connection.run("BEGIN")
            connection.run(f"REASSIGN OWNED BY {quoted(role)} TO CURRENT_USER")
            connection.run(f"DROP OWNED BY {quoted(role)}")
            connection.run(f"DROP ROLE IF EXISTS {quoted(role)}")
            connection.run("COMMIT")
            self._end_sessions(connection, oid)  # a login that was under way when logins were forbidden
        return "revoked"

    def live(self) -> list[str] | None:
        """Return the ids of the roles of this source."""
        with self._connection() as connection:
            pattern = f"^{self._prefix}[0-9a-f]{{32}}$"
            found = connection.run("SELECT rolname FROM pg_roles WHERE rolname ~ :pattern", pattern=pattern)
        digits = (str(row[0]).removeprefix(self._prefix) for row in found)
        return [f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}" for text in digits]

    def close(self) -> None:
        """Nothing is open between calls."""

    def _role(self, credential_id: str) -> str:
        digits = credential_id.replace("-", "")
        if not re.fullmatch(r"[0-9a-f]{32}", digits):
            raise UnavailableError(f"`{credential_id[:64]}` is no credential id")
        return self._prefix + digits

    @staticmethod
    def _end_sessions(connection: Any, oid: int) -> None:
        deadline = time.monotonic() + _GONE_S
        while True:
            left = connection.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = CAST(:oid AS bigint)::oid",
                oid=oid,
            )
            if not left:
                return
            if time.monotonic() > deadline:
                raise UnavailableError(f"{len(left)} sessions of a revoked role do not end")
            time.sleep(0.01)

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        place = self._place
        where: dict[str, Any] = {"host": place.host, "port": place.port}
        if place.host.startswith("/"):
            where = {"unix_sock": f"{place.host}/.s.PGSQL.{place.port}"}
        try:
            connection = pg8000.native.Connection(
                place.user,
                database=place.database,
                password=place.password() if place.password else None,
                ssl_context=place.certificates,
                timeout=_TIMEOUT_S,
                application_name="sealgate",
                **where,
            )
            try:
                connection.run(f"SET statement_timeout = {_TIMEOUT_S * 1000}")
                yield connection
            finally:
                connection.close()
        except pg8000.exceptions.DatabaseError as error:
            # Its text can hold a statement, and that a verifier; only PostgreSQL's short message and code leave here.
            told = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
            raise UnavailableError(f"PostgreSQL refused: {told.get('C', '?')} {str(told.get('M', ''))[:200]}") from None
        except (pg8000.exceptions.InterfaceError, OSError) as error:
            raise UnavailableError(f"PostgreSQL cannot be reached: {type(error).__name__}") from None
