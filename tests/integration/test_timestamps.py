"""RFC 3161 against a real authority: ``openssl ts`` behind loopback HTTP, its certificates made by the test."""

import contextlib
import http.server
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sealgate.adapters.timestamps.rfc3161 import HttpTimestampAuthority, read_roots
from sealgate.model.errors import AlteredError, EncodingError, InputError, NotProvenError, UnavailableError
from sealgate.verifier.timestamps import verify_timestamp

MESSAGE = b"ledger.example/acme\n5\nERERERERERERERERERERERERERERERERERERERERERE=\n"
CONFIGURATION = """
[tsa]
dir = {folder}
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


def _certificate(subject, issuer, key, signing_key, *, usage=None, ca=False, start=None):
    name = lambda text: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])  # noqa: E731
    start = start or datetime.now(UTC) - timedelta(hours=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), critical=False)
    )
    if usage:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
    return builder.sign(signing_key, hashes.SHA256())


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


class _Authority:
    """A certificate authority, a time-stamping leaf, and ``openssl ts -reply`` over both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root_key = rsa.generate_private_key(65537, 2048)
        self.leaf_key = rsa.generate_private_key(65537, 2048)
        self.root = _certificate("root", "root", self.root_key, self.root_key, ca=True)
        self.use_leaf()
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(CONFIGURATION.format(folder=folder))
        key = self.leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / "key.pem").write_bytes(key)

    def use_leaf(self, usage=ExtendedKeyUsageOID.TIME_STAMPING, start=None):
        leaf = _certificate("tsa", "root", self.leaf_key, self.root_key, usage=usage, start=start)
        (self.folder / "leaf.pem").write_text(_pem(leaf))

    def reply(self, query):
        (self.folder / "query.tsq").write_bytes(query)
        made = subprocess.run(
            [
                *("openssl", "ts", "-reply", "-config", "tsa.cnf", "-section", "tsa", "-queryfile", "query.tsq"),
                *("-signer", "leaf.pem", "-inkey", "key.pem", "-out", "reply.tsr"),
            ],
            cwd=self.folder,
            capture_output=True,
            check=False,
        )
        return (self.folder / "reply.tsr").read_bytes() if made.returncode == 0 else b""


@pytest.fixture(name="authority")
def _authority(tmp_path):
    """An authority of its own root."""
    return _Authority(tmp_path)


@pytest.fixture(name="serve")
def _serve():
    """Serve a function from request bytes to answer bytes over loopback HTTP; returns the address."""
    with contextlib.ExitStack() as stack:

        def start(answer, status=200):
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_POST(self):
                    body = answer(self.rfile.read(int(self.headers["content-length"])))
                    self.send_response(status)
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    with contextlib.suppress(ConnectionError):
                        self.wfile.write(body)

                def log_message(self, *_):
                    pass

            server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}/"

        yield start


@pytest.fixture(name="client")
def _client():
    """A maker of adapters that are closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda url, root: stack.enter_context(
            contextlib.closing(HttpTimestampAuthority(url, (_pem(root),), timeout_s=60))
        )


def test_timestamp_over_a_checkpoint(authority, serve, client):
    """A token is fetched, verifies offline with the root alone, and tells the time."""
    token = client(serve(authority.reply), authority.root).timestamp(MESSAGE)

    moment = verify_timestamp(token, MESSAGE, [_pem(authority.root)])

    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=5)
    with pytest.raises(AlteredError):
        verify_timestamp(token, MESSAGE + b"x", [_pem(authority.root)])
    with pytest.raises(EncodingError):
        verify_timestamp(token[:-1], MESSAGE, [_pem(authority.root)])
    with pytest.raises(NotProvenError, match="trusted"):
        verify_timestamp(token, MESSAGE, [])
    with pytest.raises(InputError):
        verify_timestamp(token, MESSAGE, ["no certificate"])
    (authority.folder / "roots.pem").write_text(_pem(authority.root))
    assert read_roots(authority.folder / "roots.pem") == (_pem(authority.root),)
    namesake = _certificate("root", "root", authority.leaf_key, authority.leaf_key, ca=True)
    with pytest.raises(NotProvenError, match=r"certificate verify error$"):  # the reason, not the library's whole stack
        verify_timestamp(token, MESSAGE, [_pem(namesake)])


def test_a_token_of_another_root_is_refused(authority, serve, client):
    """A token that another authority made proves nothing."""
    token = client(serve(authority.reply), authority.root).timestamp(MESSAGE)
    stranger = _certificate("root", "root", authority.leaf_key, authority.leaf_key, ca=True)

    with pytest.raises(NotProvenError):
        verify_timestamp(token, MESSAGE, [_pem(stranger)])
    with pytest.raises(UnavailableError, match="not usable"):
        client(serve(authority.reply), stranger).timestamp(MESSAGE)


def test_bytes_of_a_token_that_matter_cannot_change(authority, serve, client):
    """One changed byte is refused or says nothing: never another time, and fewer than two in a hundred pass."""
    token = client(serve(authority.reply), authority.root).timestamp(MESSAGE)
    roots = [_pem(authority.root)]
    moment, passed = verify_timestamp(token, MESSAGE, roots), 0

    for at in range(0, len(token), 3):
        changed = bytearray(token)
        changed[at] ^= 1
        try:
            assert verify_timestamp(bytes(changed), MESSAGE, roots) == moment
            passed += 1
        except (AlteredError, EncodingError, NotProvenError):
            pass

    assert passed < len(token) / 3 * 0.02


def test_wrong_answers_are_unavailable(authority, serve, client):
    """Replays, garbage, too much, refusals and silence never become a timestamp."""
    replayed = client(serve(authority.reply), authority.root).timestamp(MESSAGE)

    for answer, status, why in (
        (lambda _: replayed, 200, "Nonce"),
        (lambda _: b"garbage", 200, "malformed"),
        (lambda _: b"x" * 100_000, 200, "too much"),
        (lambda _: b"", 200, "malformed"),
        (lambda _: b"", 503, "503"),
    ):
        with pytest.raises(UnavailableError, match=why):
            client(serve(answer, status), authority.root).timestamp(MESSAGE)
    with pytest.raises(UnavailableError, match="reached"):
        client("http://127.0.0.1:9/", authority.root).timestamp(MESSAGE)


def test_an_expired_certificate_is_refused(authority, serve, client):
    """A leaf that was not valid at the time in the token proves nothing; a fresh one is the control."""
    authority.use_leaf(start=datetime.now(UTC) - timedelta(days=30))

    with pytest.raises(UnavailableError):
        client(serve(authority.reply), authority.root).timestamp(MESSAGE)
    authority.use_leaf()
    client(serve(authority.reply), authority.root).timestamp(MESSAGE)
