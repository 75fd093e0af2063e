"""HTTPS with a bearer key or a client certificate, against the simulator behind real TLS."""

import asyncio
import datetime as dt
import ipaddress
import pathlib
import ssl
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sealgate.model.errors import ConfigurationError
from sealgate.sdk import AuthorityUnreachable, Client


@pytest.fixture(name="certificate")
def _certificate(tmp_path: pathlib.Path) -> pathlib.Path:
    """A self-signed certificate for 127.0.0.1, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "both.pem"
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(name="remote")
def _remote(tmp_path, certificate):
    """A simulator over TLS that asks for (and here trusts) a client certificate; yields it and its URL."""
    simulator = sys.modules["sealgate_simulator"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    running = simulator.Simulator(tmp_path / "unused", with_server=simulator.TlsServer, context=context)
    yield running, f"https://127.0.0.1:{running.server.server_address[1]}"
    running.stop()


def test_a_key_by_reference(remote, certificate, tmp_path, monkeypatch):
    """The bearer key comes from a private file or a named variable, and is sent with each request."""
    authority, url = remote
    key_file = tmp_path / "key"
    key_file.write_text("sk-1\n")
    key_file.chmod(0o600)
    monkeypatch.setenv("MY_KEY", "sk-2")
    for reference in ({"api_key_file": key_file}, {"api_key_env": "MY_KEY"}):
        with Client(agent="a1", url=url, ca_file=certificate, spool=tmp_path / "spool", **reference) as client:
            assert client.guard(abs)(-3) == 3
    assert [headers["authorization"] for headers in authority.headers[::2]] == ["Bearer sk-1", "Bearer sk-2"]
    key_file.chmod(0o644)
    with Client(agent="a1", url=url, ca_file=certificate, spool=tmp_path / "spool", api_key_file=key_file) as client:
        refused = pytest.raises(ConfigurationError, match="open to others")
        with refused:
            client.decide("x", {})


def test_async_and_a_client_certificate(remote, certificate, tmp_path):
    """The awaiting client, proving itself with a certificate."""
    authority, url = remote

    async def main():
        client = Client(
            agent="a1", url=url, ca_file=certificate, client_certificate=certificate, spool=tmp_path / "spool"
        )
        async with client.asynchronous as asynchronous:

            @client.guard
            async def act(n: int) -> int:
                return n

            assert await act(1) == 1
            assert await asynchronous.decide("x", {})

    asyncio.run(main())
    assert len(authority.outcomes) == 1


def test_an_unknown_authority_means_no(remote, tmp_path):
    """A certificate that is not trusted is no authority; plain http is refused outright."""
    authority, url = remote
    with Client(agent="a1", url=url, spool=tmp_path / "spool") as client, pytest.raises(AuthorityUnreachable):
        client.decide("x", {})
    assert authority.requests == []
    with pytest.raises(ConfigurationError, match="https"):
        Client(agent="a1", url="http://127.0.0.1:1")
