"""Where the authority is and who we are: arguments first, then the environment, then the defaults."""

import os
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sealgate.model.errors import ConfigurationError
from sealgate.model.identifiers import require_name

DEFAULT_TIMEOUT_S: Final = 2.0
"""How long one exchange with the authority may take, in seconds. A decision takes well under a millisecond."""

COLLECTOR_TIMEOUT_S: Final = 30.0
"""How long one batch may take, in seconds. Nobody waits for it but the shipping thread."""

DEFAULT_SPOOL_BYTES: Final = 256 * 1024 * 1024
"""Bytes of items that may wait for the collector: at a hundred items a second, more than an hour without it."""

MIN_SPOOL_BYTES: Final = 64 * 1024
"""A spool that cannot hold one item of the largest size is none. In bytes."""

MAX_TIMEOUT_S: Final = 60.0
"""An agent that waits longer than this for a decision is stuck, not patient. In seconds."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the client has to know. Secrets come by reference only (a variable's name or a file)."""

    agent: str
    """The agent that asks. ``SEALGATE_AGENT``."""

    server: str = "local"
    """The tool server whose tools are guarded, unless the guard names another. ``SEALGATE_SERVER``."""

    socket: pathlib.Path | None = None
    """The authority's Unix socket. ``SEALGATE_SOCKET``."""

    url: str | None = None
    """``https://…`` of a remote authority; then no socket is used. ``SEALGATE_URL``."""

    api_key_env: str | None = None
    """Name of the variable that holds the bearer key. ``SEALGATE_API_KEY_ENV``."""

    api_key_file: pathlib.Path | None = None
    """File that holds the bearer key, readable by its owner only. ``SEALGATE_API_KEY_FILE``."""

    ca_file: pathlib.Path | None = None
    """PEM certificates to trust for ``url`` instead of the system's. ``SEALGATE_CA_FILE``."""

    client_certificate: pathlib.Path | None = None
    """PEM certificate and key for mutual TLS. ``SEALGATE_CLIENT_CERTIFICATE``."""

    timeout_s: float = DEFAULT_TIMEOUT_S
    """Bound of one exchange, in seconds. ``SEALGATE_TIMEOUT_S``."""

    spool: pathlib.Path | None = None
    """Where undelivered outcomes and captured items wait. ``SEALGATE_SPOOL``."""

    spool_bytes: int = DEFAULT_SPOOL_BYTES
    """Bytes of captured items that may wait. ``SEALGATE_SPOOL_BYTES``."""

    collector_socket: pathlib.Path | None = None
    """The collector's Unix socket. ``SEALGATE_COLLECTOR_SOCKET``."""

    collector_url: str | None = None
    """``https://…`` of a remote collector. ``SEALGATE_COLLECTOR_URL``."""

    privacy: pathlib.Path | None = None
    """The field policy: what of an item may be stored. ``SEALGATE_PRIVACY``."""

    privacy_key_file: pathlib.Path | None = None
    """Key for keyed hashes, at least 32 bytes, readable by its owner only. ``SEALGATE_PRIVACY_KEY_FILE``."""

    region: str | None = None
    """Where the agent runs, told in each item. ``SEALGATE_REGION``."""

    environment: str | None = None
    """Which deployment it is (production, test, …), told in each item. ``SEALGATE_ENVIRONMENT``."""

    def __post_init__(self) -> None:
        require_name(self.agent, "agent")
        require_name(self.server, "tool server")
        if not 0 < self.timeout_s <= MAX_TIMEOUT_S:
            raise ConfigurationError(
                f"timeout of {self.timeout_s} s is out of bounds", hint=f"0 < s <= {MAX_TIMEOUT_S:g}"
            )
        for url, whose in ((self.url, "authority"), (self.collector_url, "collector")):
            if url is not None and not url.startswith("https://"):
                raise ConfigurationError(f"the {whose}'s URL is not https", hint="use https or the Unix socket")
        if self.spool_bytes < MIN_SPOOL_BYTES:
            raise ConfigurationError(f"a spool of {self.spool_bytes} bytes is too small", hint=f"{MIN_SPOOL_BYTES}")
        if self.url is not None and self.socket is not None:
            raise ConfigurationError("both a URL and a socket are given", hint="choose one")

    @property
    def target(self) -> str:
        """Name the authority that is meant: what is spooled for one is never sent to another."""
        return self.url.rstrip("/") if self.url else f"unix:{self.socket_path}"

    @property
    def socket_path(self) -> pathlib.Path:
        """Return the socket to use when there is no URL."""
        return self.socket or default_socket(os.environ)

    @property
    def collector(self) -> "Settings":
        """Return the settings to reach the collector with: its own address, else the one beside the authority's.

        Beside a socket it is ``collector.sock`` in the same folder; behind a URL it is the same URL.
        """
        url, socket = self.collector_url, self.collector_socket
        if url is None and socket is None:
            url = self.url
            socket = None if url is not None else self.socket_path.with_name("collector.sock")
        return replace(self, url=url, socket=socket if url is None else None, timeout_s=COLLECTOR_TIMEOUT_S)

    @property
    def spool_folder(self) -> pathlib.Path:
        """Return the folder that holds the spools of all authorities."""
        return (self.spool or default_spool(os.environ)).absolute()  # wherever the agent goes from here

    def api_key(self) -> str | None:
        """Read the bearer key where it is kept.

        Raises:
            ConfigurationError: it is not there, is empty, or others can read the file.
        """
        if self.api_key_env:
            return _one_line(os.environ.get(self.api_key_env, ""), f"variable {self.api_key_env}")
        if self.api_key_file is None:
            return None
        try:
            mode = self.api_key_file.stat().st_mode
            text = self.api_key_file.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"api key file `{self.api_key_file}` cannot be read: {error}") from error
        if mode & 0o077:
            raise ConfigurationError(f"api key file `{self.api_key_file}` is open to others", hint="chmod 600")
        return _one_line(text, f"file {self.api_key_file}")


def resolve(environ: Mapping[str, str], **given: object) -> Settings:
    """Return the settings: what is ``given`` (None means not given), else the environment, else defaults.

    Raises:
        ConfigurationError: no agent is named, or a value is unusable.
    """
    values = {name: value for name, value in given.items() if value is not None}
    for name, kind in _FROM_ENVIRONMENT.items():
        text = environ.get(f"SEALGATE_{name.upper()}")
        if text and name not in values and not _overridden(name, values):
            values[name] = _read(kind, text, name)
    if "agent" not in values:
        raise ConfigurationError("no agent is named", hint="pass agent= or set SEALGATE_AGENT")
    for name in _PATHS:
        if name in values:
            values[name] = pathlib.Path(str(values[name]))
    return Settings(**values)  # type: ignore[arg-type]  # checked by Settings itself


_PATHS: Final = (
    "socket",
    "api_key_file",
    "ca_file",
    "client_certificate",
    "spool",
    "collector_socket",
    "privacy",
    "privacy_key_file",
)


def _overridden(name: str, values: Mapping[str, object]) -> bool:
    """A socket that is passed wins over a URL from the environment, and the other way round."""
    return (name == "url" and "socket" in values) or (name == "socket" and "url" in values)


def _read(kind: type, text: str, name: str) -> object:
    try:
        return kind(text)
    except ValueError as error:
        raise ConfigurationError(f"SEALGATE_{name.upper()} is `{text[:80]}`", hint=f"give a {kind.__name__}") from error


_FROM_ENVIRONMENT: Final[dict[str, type]] = {
    "agent": str,
    "server": str,
    "url": str,
    "socket": str,
    "api_key_env": str,
    "api_key_file": str,
    "ca_file": str,
    "client_certificate": str,
    "timeout_s": float,
    "spool": str,
    "spool_bytes": int,
    "collector_socket": str,
    "collector_url": str,
    "privacy": str,
    "privacy_key_file": str,
    "region": str,
    "environment": str,
}


SYSTEM_SOCKET: Final = pathlib.Path("/run/sealgate/sealgate.sock")
"""Where ``packaging/sealgate.service`` listens."""


def default_socket(environ: Mapping[str, str]) -> pathlib.Path:
    """Return the socket of this user's own authority in ``~/sealgate`` if there is one, else the system's.

    The working directory is not searched: whoever may write there could answer in the authority's place. The choice
    does not depend on whether the authority runs now, so what is spooled meanwhile is still meant for the same one.
    """
    home = environ.get("HOME")
    own = pathlib.Path(home) / "sealgate" if home else None
    return own / "sealgate.sock" if own is not None and (own / "sealgate.toml").is_file() else SYSTEM_SOCKET


def default_spool(environ: Mapping[str, str]) -> pathlib.Path:
    """Return the per-user spool folder, on a disk that survives a restart."""
    state = environ.get("XDG_STATE_HOME")
    folder = pathlib.Path(state) if state else pathlib.Path.home() / ".local" / "state"
    return folder / "sealgate" / "spool"


def _one_line(text: str, where: str) -> str:
    key = text.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(f"there is no usable api key in {where}")
    return key
