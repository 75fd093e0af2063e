"""What ``sealgate mcp serve`` reads: where it listens, whom it lets in, which servers are behind it."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from sealgate.adapters.configuration import loading
from sealgate.adapters.configuration.sections.callers import Callers
from sealgate.gateway import secrets
from sealgate.gateway.catalogue import SEPARATOR
from sealgate.gateway.protected import check_resource
from sealgate.gateway.relay import DEFAULT_TIMEOUT_S
from sealgate.model.errors import ConfigurationError
from sealgate.model.identifiers import require_name

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

Tables = tuple[dict[str, Any], ...]


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One server: a ``command`` or a ``url``. ``secrets`` are references (``file:…``, ``command:…``)."""

    command: tuple[str, ...] = ()
    url: str = ""
    env: dict[str, str] = {}
    secrets: dict[str, str] = {}
    bearer: str = ""


class ConsentTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose client is trusted to ask its person: principal → person; ``key`` signs the answers (a reference)."""

    key: str
    people: dict[str, str]


class Gateway(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration. ``identity``, ``oidc`` and ``spiffe`` are as the authority's; see ``callers``."""

    servers: dict[str, Server]
    listen: str = "127.0.0.1:7300"
    path: str = "/mcp"
    agent: str = ""
    api_keys: Path | None = None
    socket: Path | None = None
    pins: Path | None = None
    first: str = "approve"
    any_definition: bool = False
    timeout_s: float = DEFAULT_TIMEOUT_S
    allowed_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    client_certificate: Literal["optional", "required"] = "optional"
    minimum_tls: Literal["1.2", "1.3"] = "1.3"
    resource: str = ""
    identity: Tables = ()
    oidc: Tables = ()
    spiffe: Tables = ()
    consent: ConsentTable | None = None
    visible: dict[str, tuple[str, ...]] = {}
    callers: Callers = Callers()

    @property
    def host(self) -> str:
        """The address to listen on."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on."""
        return int(self.listen.rpartition(":")[2])

    @property
    def asks_who(self) -> bool:
        """Whether callers have to prove who they are; otherwise all of this machine are one agent."""
        return self.api_keys is not None or self.callers != Callers()


def _path(kind: type, value: object) -> Path:
    if kind is not Path or not isinstance(value, str):
        raise NotImplementedError
    return Path(value).expanduser()


def load(path: Path) -> Gateway:
    """Return the configuration in a file.

    Raises:
        ConfigurationError: it cannot be read, has an unknown member, or would let in whoever comes.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        if "callers" in table:
            raise ConfigurationError("`callers` is not a setting", hint="write [[identity]], [[oidc]] or [[spiffe]]")
        found = msgspec.convert(table, Gateway, strict=False, dec_hook=_path)
    except OSError as error:
        raise ConfigurationError(f"`{path}` cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"`{path}` is no configuration of a gateway: {error}") from error
    callers = loading.callers(
        identity=list(found.identity),
        oidc=[_for_us(table, found.resource, default=True) for table in found.oidc],
        spiffe=[_for_us(table, found.resource, default=False) for table in found.spiffe],
        base=path.absolute().parent,
    )
    return check(msgspec.structs.replace(found, callers=callers))


def _for_us(table: Mapping[str, Any], resource: str, *, default: bool) -> dict[str, Any]:
    """Return an entry whose tokens are meant for this gateway and nobody else."""
    given = table.get("audience", resource if default else "")
    if given != resource and given:
        raise ConfigurationError(
            f"audience `{str(given)[:80]}` is not `resource`", hint="tokens must be meant for this gateway"
        )
    if (given or default) and not resource:
        raise ConfigurationError("tokens are taken without a `resource`", hint="set this gateway's own https address")
    return {**table, "audience": given}


def check(found: Gateway) -> Gateway:
    """Return a configuration that makes sense; ConfigurationError says what does not."""
    if not found.listen.rpartition(":")[2].isdecimal():
        raise ConfigurationError(f"`listen` is `{found.listen[:80]}`", hint="ADDRESS:PORT")
    if not found.servers:
        raise ConfigurationError("no server is configured", hint="add [servers.NAME]")
    for name, server in found.servers.items():
        _check_server(name, server)
    if found.first not in ("approve", "quarantine"):
        raise ConfigurationError(f"`first` is `{found.first[:40]}`", hint="approve or quarantine")
    if found.resource:
        check_resource(found.resource)
    _check_who(found)
    _check_tls(found)
    return found


def _check_who(found: Gateway) -> None:
    if not found.asks_who:
        if not found.agent:
            hint = "set `api_keys`, [[identity]], [[oidc]] or [[spiffe]]; or `agent` for this machine alone"
            raise ConfigurationError("nobody says who acts", hint=hint)
        if found.host not in LOOPBACK:
            raise ConfigurationError("where nobody proves who acts only this machine may be served", hint="127.0.0.1")
        if found.consent is not None:
            raise ConfigurationError("[consent] names callers, and nobody proves who calls", hint="set `api_keys`")
    for entry in found.callers.identity:
        if entry.uid is not None or entry.gid is not None:
            raise ConfigurationError(f"identity `{entry.name}` is a user of this machine", hint="name a certificate")
    for person in found.consent.people.values() if found.consent is not None else ():
        require_name(person, "person")


def _check_tls(found: Gateway) -> None:
    if (found.certificate is None) != (found.key is None):
        raise ConfigurationError("`certificate` and `key` go together", hint="set both or none")
    if found.certificate is None and found.host not in LOOPBACK:
        raise ConfigurationError("keys would cross the network in the open", hint="set `certificate` and `key`")
    bindings = {entry.binding for entry in found.callers.oidc} | {entry.binding for entry in found.callers.spiffe}
    bound = "certificate" in bindings
    wants = found.client_ca is not None or found.callers.identity or found.client_certificate == "required" or bound
    if wants and found.certificate is None:
        raise ConfigurationError("client certificates need TLS", hint="set `certificate` and `key`")
    if found.client_ca is None and (found.callers.identity or (wants and not found.callers.spiffe)):
        raise ConfigurationError("nobody says who issues client certificates", hint="set `client_ca`")


def _check_server(name: str, server: Server) -> None:
    require_name(name, "server")
    if SEPARATOR in name or bool(server.command) == bool(server.url):
        raise ConfigurationError(f"server `{name}` needs a command or a url, and a name without `{SEPARATOR}`")
    if server.url and not server.url.startswith(("https://", "http://")):
        raise ConfigurationError(f"server `{name}`: `{server.url[:80]}` is no http address")


def headers_of(server: Server) -> dict[str, str]:
    """Return the headers that prove us to a server; ConfigurationError when a secret cannot be had."""
    result = {name.lower(): secrets.resolve(reference) for name, reference in server.secrets.items()}
    if server.bearer:
        result["authorization"] = f"Bearer {secrets.resolve(server.bearer)}"
    return result
