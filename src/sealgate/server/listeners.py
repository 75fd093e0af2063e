"""Where the server listens: a Unix socket by default, HTTPS when asked for.

The Unix socket proves who calls by the kernel's word; file modes decide who may connect at all: the directory is 0700
and the socket 0600, or 0750 and 0660 for one group when agents run as other users (they should).
"""

import contextlib
import grp
import os
import socket
import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from sealgate.model.errors import ConfigurationError
from sealgate.model.limits import MAX_REQUEST_BYTES

from . import bounds

_BACKLOG: Final = 512
_CIPHERS_1_2: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"  # forward secrecy and authenticated encryption only
_READABLE_BY_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class UnixListener:
    """A Unix socket. ``group`` names the group whose members may connect besides our own user."""

    path: Path
    group: str | None = None


@dataclass(frozen=True, slots=True)
class HttpsListener:
    """An HTTPS port. With ``client_authorities`` (PEM) callers may, or must, prove themselves by certificate."""

    host: str
    port: int
    certificate: Path
    private_key: Path
    client_authorities: Path | None = None
    client_certificate: Literal["optional", "required"] = "optional"
    minimum_tls: Literal["1.2", "1.3"] = "1.3"
    more_authorities: Callable[[], str] | None = None
    """Further authorities of client certificates (PEM), read anew with the other files; who may call decides others."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """All listeners of one authority, and what they share. ``public_url`` is what AuthZEN clients know it by."""

    unix: UnixListener | None = None
    https: HttpsListener | None = None
    public_url: str = "https://localhost"
    max_connections: int = bounds.MAX_CONNECTIONS
    max_in_flight: int = bounds.MAX_IN_FLIGHT
    max_request_bytes: int = MAX_REQUEST_BYTES
    stop_timeout_s: float = bounds.STOP_TIMEOUT_S


def open_unix(listener: UnixListener) -> socket.socket:
    """Return a listening socket; its directory is made with the right mode when it is missing.

    Raises:
        ConfigurationError: the directory is open to others, the group is unknown, or another authority listens there.
    """
    gid = _gid(listener.group)
    _prepare_directory(listener.path.parent, gid)
    _remove_stale(listener.path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o177)  # so that the socket is never more open than 0600, not even for a moment
    try:
        listening.bind(str(listener.path))
    except OSError as error:
        listening.close()
        raise ConfigurationError(f"cannot listen on `{listener.path}`: {error.strerror}", hint="change it") from error
    finally:
        os.umask(umask)
    if gid is not None:
        os.chown(listener.path, -1, gid)
        listener.path.chmod(0o660)
    listening.listen(_BACKLOG)
    listening.setblocking(False)
    return listening


def close_unix(listener: UnixListener) -> None:
    """Remove the socket's name."""
    with contextlib.suppress(FileNotFoundError):
        listener.path.unlink()


def _gid(group: str | None) -> int | None:
    try:
        return None if group is None else grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise ConfigurationError(f"group `{group}` does not exist", hint="create it or leave it out") from error


def _prepare_directory(folder: Path, gid: int | None) -> None:
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        if gid is not None:
            os.chown(folder, -1, gid)
            folder.chmod(0o750)
    found = folder.stat()
    allowed = 0o700 if gid is None else 0o750
    if found.st_uid not in {os.geteuid(), 0} or found.st_mode & 0o777 & ~allowed:
        raise ConfigurationError(
            f"directory `{folder}` of the socket is open to others", hint=f"chmod {allowed:o} {folder}, owned by us"
        )


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on; a crash leaves one behind."""
    if not path.is_socket():
        if path.exists():
            raise ConfigurationError(f"`{path}` exists and is not a socket", hint="move it away")
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise ConfigurationError(f"another process listens on `{path}`", hint="stop it or choose another path")


class Address(Protocol):
    """A TCP address to listen on."""

    @property
    def host(self) -> str:
        """A name or address of this machine."""

    @property
    def port(self) -> int:
        """The port; 0: any."""


def open_tcp(listener: Address) -> socket.socket:
    """Return a listening TCP socket.

    Raises:
        ConfigurationError: the address cannot be had.
    """
    try:
        found = socket.getaddrinfo(listener.host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, address = found[0][0], found[0][4]
        listening = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        where = f"`{listener.host}:{listener.port}`"
        raise ConfigurationError(f"cannot listen on {where}: {error.strerror}", hint="change host or port") from error
    listening.setblocking(False)
    return listening


def tls_context(listener: HttpsListener) -> ssl.SSLContext:
    """Return the TLS settings of a listener, read anew from its files.

    Raises:
        ConfigurationError: a file cannot be read, does not fit the other, or the private key is open to others.
    """
    _require_private(listener.private_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    lowest = ssl.TLSVersion.TLSv1_3 if listener.minimum_tls == "1.3" else ssl.TLSVersion.TLSv1_2
    context.minimum_version = lowest
    context.set_ciphers(_CIPHERS_1_2)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        context.load_cert_chain(listener.certificate, listener.private_key)
        if listener.client_authorities is not None:
            context.load_verify_locations(listener.client_authorities)
        more = listener.more_authorities() if listener.more_authorities is not None else ""
        if more:
            context.load_verify_locations(cadata=more)
        if more or listener.client_authorities is not None:
            context.verify_mode = ssl.CERT_REQUIRED if listener.client_certificate == "required" else ssl.CERT_OPTIONAL
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"TLS files cannot be used: {error}", hint="check the paths and the pair") from error
    return context


def _require_private(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigurationError(f"private key `{path}` cannot be read: {error.strerror}", hint="check it") from error
    if mode & _READABLE_BY_OTHERS:
        raise ConfigurationError(f"private key `{path}` is open to others", hint=f"chmod 600 {path}")
