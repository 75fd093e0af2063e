"""Who is at the other end of a connection, as far as the connection itself proves it."""

import _ssl
import asyncio
import socket
import struct
from typing import Any, Final

from sealgate.ports.identity import Peer, UnixPeer

from .messages import NOBODY

_PEER_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred: pid, uid, gid


def peer_of(transport: asyncio.Transport) -> Peer:
    """Return what a connection proves: the process behind a Unix socket, or a verified client certificate."""
    tls = transport.get_extra_info("ssl_object")
    if tls is not None:
        return _tls_peer(tls)
    connection: Any = transport.get_extra_info("socket")
    if connection is None or connection.family != socket.AF_UNIX:
        return NOBODY
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    return Peer(unix=UnixPeer(*_PEER_CREDENTIALS.unpack(raw)))


def _tls_peer(tls: Any) -> Peer:
    certificate = tls.getpeercert(binary_form=True)
    if certificate is None:
        return Peer()
    try:
        chain = tls._sslobj.get_verified_chain() or ()  # noqa: SLF001  # public only from Python 3.13 on
        return Peer(certificate=certificate, chain=tuple(_der(each) for each in chain))
    except AttributeError:
        return Peer(certificate=certificate)  # who needs the chain refuses the certificate


def _der(certificate: Any) -> bytes:
    """Return a certificate's DER: an object of the TLS stack before Python 3.13, bytes since."""
    return certificate if isinstance(certificate, bytes) else certificate.public_bytes(_ssl.ENCODING_DER)
