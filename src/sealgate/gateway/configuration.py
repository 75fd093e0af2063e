"""What ``sealgate mcp serve`` reads: where it listens, whom it lets in, which servers are behind it."""

import tomllib
from pathlib import Path
from typing import Final

import msgspec

from sealgate.gateway import secrets
from sealgate.gateway.catalogue import SEPARATOR
from sealgate.gateway.relay import DEFAULT_TIMEOUT_S
from sealgate.model.errors import ConfigurationError
from sealgate.model.identifiers import require_name

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One server: a ``command`` or a ``url``. ``secrets`` are references (``file:…``, ``command:…``)."""

    command: tuple[str, ...] = ()
    url: str = ""
    env: dict[str, str] = {}
    secrets: dict[str, str] = {}
    bearer: str = ""


class Gateway(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration."""

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
    visible: dict[str, tuple[str, ...]] = {}

    @property
    def host(self) -> str:
        """The address to listen on."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on."""
        return int(self.listen.rpartition(":")[2])


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
        found = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Gateway, strict=False, dec_hook=_path)
    except OSError as error:
        raise ConfigurationError(f"`{path}` cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"`{path}` is no configuration of a gateway: {error}") from error
    return check(found)


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
    if found.api_keys is None:
        if not found.agent:
            raise ConfigurationError("nobody says who acts", hint="set `api_keys`, or `agent` for this machine alone")
        if found.host not in LOOPBACK:
            raise ConfigurationError("without `api_keys` only this machine may be served", hint="listen on 127.0.0.1")
    if found.host not in LOOPBACK and (found.certificate is None or found.key is None):
        raise ConfigurationError("keys would cross the network in the open", hint="set `certificate` and `key`")
    return found


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
