"""HTTPS: versions, ciphers, client certificates, reload."""

import pathlib
import socket
import ssl

import httpx
import pytest

from sealgate.model.errors import ConfigurationError
from sealgate.server.listeners import HttpsListener, tls_context


def _context(served, client=None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=served.authority.file)
    if client is not None:
        context.load_cert_chain(client.certificate, client.private_key)
    return context


def _handshake(served, context: ssl.SSLContext) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", served.server.https_port), timeout=60)
    return context.wrap_socket(raw, server_hostname="localhost")


def test_tls_1_3_is_the_default(served):
    """A current caller gets 1.3; one that stops at 1.2 is turned away."""
    context = _context(served)
    with _handshake(served, context) as connection:
        assert connection.version() == "TLSv1.3"
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    with pytest.raises(ssl.SSLError):
        _handshake(served, context)


def test_tls_1_2_is_the_floor(make_served):
    """Where 1.2 is allowed only ciphers with forward secrecy and authenticated encryption are; 1.1 never is."""
    served = make_served(minimum_tls="1.2")
    context = _context(served)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with _handshake(served, context) as connection:
        name = connection.cipher()[0]
        assert name.startswith("ECDHE-")
        assert "GCM" in name or "POLY1305" in name
    context.set_ciphers("AES128-SHA:AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA")

    with pytest.raises(ssl.SSLError):
        _handshake(served, context)


def test_a_client_certificate_is_the_identity(served, question):
    """A certificate of the configured authority proves the caller; its bytes reach the resolver."""
    pair = served.authority.issue("gateway")
    with httpx.Client(timeout=60, verify=_context(served, pair), base_url=served.url) as client:
        assert client.post("/access/v1/evaluation", json=question).status_code == 200

    assert served.resolver.peers[-1].certificate == ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())


def test_a_foreign_certificate_is_refused(served, tmp_path, question):
    """A certificate of another authority ends the connection; without one a key is still possible."""
    (tmp_path / "other").mkdir()
    foreign = type(served.authority)(tmp_path / "other").issue("gateway")
    with (
        httpx.Client(timeout=60, verify=_context(served, foreign), base_url=served.url) as client,
        pytest.raises(httpx.TransportError),
    ):
        client.post("/access/v1/evaluation", json=question)
    with httpx.Client(timeout=60, verify=_context(served), base_url=served.url) as client:
        headers = {"Authorization": "Bearer everything"}
        assert client.post("/access/v1/evaluation", json=question, headers=headers).status_code == 200


def test_a_certificate_may_be_required(make_served):
    """Then a caller without one gets no answer at all, not even about health."""
    served = make_served(client_certificate="required")
    with (
        httpx.Client(timeout=60, verify=_context(served), base_url=served.url) as client,
        pytest.raises(httpx.TransportError),
    ):
        client.get("/healthz")
    with httpx.Client(
        timeout=60, verify=_context(served, served.authority.issue("gateway")), base_url=served.url
    ) as client:
        assert client.get("/healthz").status_code == 200


def _serial(served) -> str:
    with _handshake(served, _context(served)) as connection:
        return str(connection.getpeercert()["serialNumber"])


def test_certificates_are_reloaded(served):
    """After a reload new connections see the new certificate and open ones go on; bad files change nothing."""
    before = _serial(served)
    with httpx.Client(timeout=60, verify=_context(served), base_url=served.url) as client:
        assert client.get("/healthz").status_code == 200
        new = served.authority.issue("new")
        served.pair.private_key.write_bytes(new.private_key.read_bytes())
        _reload(served)
        assert _serial(served) == before  # the pair does not fit yet
        served.pair.certificate.write_bytes(new.certificate.read_bytes())
        _reload(served)
        assert _serial(served) != before
        assert client.get("/healthz").status_code == 200


def _reload(served) -> None:
    import threading

    done = threading.Event()

    def reload() -> None:
        served.server.reload()
        served.server._reloading.add_done_callback(lambda _: done.set())

    served.call(reload)
    assert done.wait(60)


def test_files_that_cannot_be_used_are_named(certificates, tmp_path: pathlib.Path):
    """A missing file, an open key, a pair that does not fit: each is a configuration error before anything listens."""
    good, other = certificates.issue("good"), certificates.issue("other")

    def listener(certificate: pathlib.Path, key: pathlib.Path) -> HttpsListener:
        return HttpsListener("127.0.0.1", 0, certificate, key)

    assert tls_context(listener(good.certificate, good.private_key)).minimum_version is ssl.TLSVersion.TLSv1_3
    with pytest.raises(ConfigurationError, match="cannot be read"):
        tls_context(listener(good.certificate, tmp_path / "missing"))
    with pytest.raises(ConfigurationError, match="cannot be used"):
        tls_context(listener(good.certificate, other.private_key))
    good.private_key.chmod(0o640)
    with pytest.raises(ConfigurationError, match="open to others"):
        tls_context(listener(good.certificate, good.private_key))
