"""A real server over the in-memory authority, on a Unix socket and on HTTPS, in a thread of its own."""

import asyncio
import datetime as dt
import ipaddress
import pathlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bench.twin import Resolver, Twin
from sealgate.server.api import authority_api
from sealgate.server.listeners import HttpsListener, Listeners, UnixListener
from sealgate.server.serving import Server

QUESTION = {
    "subject": {"type": "agent", "id": "a1"},
    "action": {"name": "send_money"},
    "resource": {"type": "tool_server", "id": "bank"},
}


@dataclass
class Pair:
    """A certificate and its key, as files."""

    certificate: pathlib.Path
    private_key: pathlib.Path


class Authority:
    """A certificate authority for one test."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
        self._certificate = self._sign(self._name, self._key, authority=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> Pair:
        """Issue a certificate for localhost with the common name ``name``."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]), key, authority=False)
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair.private_key.touch(mode=0o600)
        pair.private_key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return pair

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        usage = x509.KeyUsage(not authority, False, False, False, False, authority, authority, False, False)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if not authority:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


class Served:
    """A running server and ways to talk to it."""

    def __init__(self, folder: pathlib.Path, authority: Authority, **options: object) -> None:
        self.socket = folder / "run" / "authority.sock"
        self.authority = authority
        self.pair = authority.issue("server")
        self.twin = Twin()
        self.resolver = Resolver()
        more = {name: options.pop(name) for name in ("minimum_tls", "client_certificate") if name in options}
        https = HttpsListener(
            "127.0.0.1", 0, self.pair.certificate, self.pair.private_key, client_authorities=authority.file, **more
        )
        listeners = Listeners(UnixListener(self.socket), https, "https://pdp.example.com", **options)
        self.server = Server(authority_api(self.twin, listeners), self.resolver, listeners)
        self.drained: bool | None = None
        self.loop = uvloop.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            self.drained = runner.run(self.server.run(self._listening.set, signals=False))

    def start(self) -> "Served":
        """Start, and return once the listeners are open."""
        self._thread.start()
        assert self._listening.wait(60)
        return self

    def call(self, function: Callable[[], object]) -> None:
        """Call ``function`` on the server's loop."""
        self.loop.call_soon_threadsafe(function)

    def stop(self) -> None:
        """Stop and wait for the end."""
        if self._thread.is_alive():
            self.call(self.server.stop)
            self._thread.join(60)
        assert not self._thread.is_alive()

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join(60)
        assert not self._thread.is_alive()

    def client(self, **options: object) -> httpx.Client:
        """Return a client on the Unix socket."""
        transport = httpx.HTTPTransport(uds=str(self.socket))
        return httpx.Client(transport=transport, base_url="http://localhost", **{"timeout": 60, **options})

    @property
    def url(self) -> str:
        """The HTTPS address."""
        return f"https://127.0.0.1:{self.server.https_port}"

    def connect(self) -> socket.socket:
        """Return a raw connection to the Unix socket."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(str(self.socket))
        return connection


@pytest.fixture(name="certificates")
def _certificates(tmp_path: pathlib.Path) -> Authority:
    """A certificate authority."""
    return Authority(tmp_path)


@pytest.fixture(name="make_served")
def _make_served(tmp_path: pathlib.Path, certificates: Authority) -> Iterator[Callable[..., Served]]:
    """A factory of running servers, stopped after the test."""
    made: list[Served] = []

    def make(**options: object) -> Served:
        made.append(Served(tmp_path, certificates, **options).start())
        return made[-1]

    yield make
    for served in made:
        served.call(served.twin.release.set)
        served.stop()


@pytest.fixture(name="served")
def _served(make_served: Callable[..., Served]) -> Served:
    """A running server."""
    return make_served()


@pytest.fixture(name="client")
def _client(served: Served) -> Iterator[httpx.Client]:
    """A client on the Unix socket, with every role."""
    with served.client() as client:
        yield client


@pytest.fixture(name="question")
def _question() -> dict[str, object]:
    """A minimal AuthZEN request."""
    return {name: dict(value) for name, value in QUESTION.items()}
