"""An issuer, two trust domains, certificates and tokens of every kind, and the HTTPS listener they all meet."""

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import http.client
import itertools
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bench.twin import Twin
from sealgate.adapters.configuration.sections.callers import IdentityEntry, OidcEntry, SpiffeEntry
from sealgate.adapters.identity.configured import authorities_of
from sealgate.adapters.identity.federated import FederatedIdentities
from sealgate.adapters.identity.resolver import ConfiguredIdentities
from sealgate.server.api import authority_api
from sealgate.server.listeners import HttpsListener, Listeners
from sealgate.server.serving import Server

ISSUER = "https://idp.example.org"
AUDIENCE = "https://gate.example.org"
DOMAIN = "example.org"
WORKLOAD = f"spiffe://{DOMAIN}/agents/billing"
Json = dict[str, Any]


def b64(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int, size: int) -> str:
    return b64(value.to_bytes(size, "big"))


_COUNT = itertools.count()


class Authority:
    """A certificate authority."""

    def __init__(self, name: str, uri: str | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(self._name, self._name, self.key.public_key(), 365)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        if uri is not None:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False
            )
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())

    def issue(self, folder: Path, file: str, names: list[x509.GeneralName], *, authority: bool = False) -> Path:
        """Write a certificate and its key to one PEM file."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, file)])
        key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        certificate = (
            _builder(subject, self._name, key.public_key(), 1)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(key_id, critical=False)
            .add_extension(_usage(signs_certificates=authority), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = folder / f"{file}.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
        path.chmod(0o600)
        return path

    def pem(self, path: Path) -> Path:
        """Write the authority's own certificate."""
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def x5c(self) -> str:
        """Return the certificate as a JWK has it."""
        return base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


class EcSigner:
    """Signs ES256."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self._key = ec.generate_private_key(ec.SECP256R1())

    def sign(self, data: bytes) -> bytes:
        """Return the signature of RFC 7518 section 3.4."""
        r, s = decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def jwk(self, **more: str) -> Json:
        """Return the public key."""
        numbers = self._key.public_key().public_numbers()
        return {
            "kty": "EC",
            "crv": "P-256",
            "x": _number(numbers.x, 32),
            "y": _number(numbers.y, 32),
            "kid": self.kid,
            **more,
        }

    def public_pem(self) -> bytes:
        """Return the public key as an attacker has it for HMAC."""
        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


class RsaSigner:
    """Signs RS256."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def sign(self, data: bytes) -> bytes:
        """Return the PKCS #1 v1.5 signature."""
        return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def jwk(self, **more: str) -> Json:
        """Return the public key."""
        numbers = self._key.public_key().public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n, 256), "e": "AQAB", "kid": self.kid, **more}


def token(header: Mapping[str, Any], claims: Mapping[str, Any] | bytes, sign: Callable[[bytes], bytes]) -> str:
    """Return a compact JWS over exactly these, however wrong they are."""
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signing = f"{b64(json.dumps(header).encode())}.{b64(body)}".encode()
    return f"{signing.decode()}.{b64(sign(signing))}"


class World:
    """Everything, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ec, self.rsa, self.svid, self.stranger = EcSigner("e1"), RsaSigner("r1"), EcSigner("s1"), EcSigner("e1")
        self.retired = EcSigner("x509-only")
        own = Authority("clients")
        spire, foreign = Authority("spire", f"spiffe://{DOMAIN}"), Authority("foreign", "spiffe://evil.org")
        uri, dns = x509.UniformResourceIdentifier, x509.DNSName
        self.authority = own.pem(folder / "own.pem")
        self.server = own.issue(folder, "server", [dns("localhost")])
        self.client = own.issue(folder, "client", [dns("gateway-1.example.org")])
        self.other = own.issue(folder, "other", [dns("gateway-2.example.org")])
        self.fake_svid = own.issue(folder, "fake-svid", [uri(WORKLOAD)])
        self.workload = spire.issue(folder, "workload", [uri(WORKLOAD)])
        self.unnamed = spire.issue(folder, "unnamed", [uri(f"spiffe://{DOMAIN}/other/thing")])
        self.two_ids = spire.issue(folder, "two-ids", [uri(WORKLOAD), uri(f"spiffe://{DOMAIN}/agents/two")])
        self.signing = spire.issue(folder, "signing", [uri(WORKLOAD)], authority=True)
        self.crossed = foreign.issue(folder, "crossed", [uri(WORKLOAD)])
        self.disguised = foreign.issue(folder, "disguised", [dns("gateway-1.example.org")])
        self._write("jwks.json", [self.ec.jwk(use="sig", alg="ES256"), self.rsa.jwk(use="sig")])
        self._write("domain.json", [self.svid.jwk(use="jwt-svid"), self.retired.jwk(), _x509(spire)])
        self._write("foreign.json", [EcSigner("f1").jwk(use="jwt-svid"), _x509(foreign)])

    def _write(self, name: str, keys: list[Json]) -> None:
        (self.folder / name).write_text(json.dumps({"keys": keys}))

    def claims(self, **changed: Any) -> Json:
        """Return the claims of a good access token; None leaves one out."""
        now = int(time.time())
        good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u-17", "iat": now, "nbf": now, "exp": now + 300}
        merged = {**good, "jti": b64(hashlib.sha256(str(time.perf_counter_ns()).encode()).digest()), **changed}
        return {name: value for name, value in merged.items() if value is not None}

    def access(self, signer: EcSigner | RsaSigner | None = None, header: Json | None = None, **changed: Any) -> str:
        """Return an access token."""
        signer = signer or self.ec
        algorithm = "ES256" if isinstance(signer, EcSigner) else "RS256"
        full = {"alg": algorithm, "kid": signer.kid, "typ": "at+jwt", **(header or {})}
        return token(full, self.claims(**changed), signer.sign)

    def jwt_svid(self, signer: EcSigner | None = None, header: Json | None = None, **changed: Any) -> str:
        """Return a JWT-SVID; SPIRE gives no `iss`, `nbf`, `jti`. Each ends at another time, or two would be one."""
        signer = signer or self.svid
        expires = int(time.time()) + 200 + next(_COUNT) % 100
        spare = {"iss": None, "nbf": None, "jti": None, "sub": WORKLOAD, "aud": [AUDIENCE], "exp": expires}
        full = {"alg": "ES256", "kid": signer.kid, "typ": "JWT", **(header or {})}
        return token(full, self.claims(**{**spare, **changed}), signer.sign)

    def hmac_with_public_key(self) -> str:
        """Return the classic forgery: HS256 with the public key as the secret."""
        key = self.ec.public_pem()
        header = {"alg": "HS256", "kid": "e1", "typ": "at+jwt"}
        return token(header, self.claims(), lambda data: hmac.new(key, data, hashlib.sha256).digest())

    def thumbprint(self, certificate: Path) -> str:
        """Return `x5t#S256` of a certificate."""
        parsed = x509.load_pem_x509_certificate(certificate.read_bytes())
        return b64(parsed.fingerprint(hashes.SHA256()))

    def bound(self, certificate: Path, **changed: Any) -> str:
        """Return an access token bound to a certificate (RFC 8705)."""
        return self.access(cnf={"x5t#S256": self.thumbprint(certificate)}, **changed)

    def resolver(self, **changed: Any) -> ConfiguredIdentities:
        """Return the resolver of this world; arguments change its issuer's entry."""
        settings: Json = {
            "name": "idp",
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "jwks_file": self.folder / "jwks.json",
            "algorithms": ("ES256", "RS256"),
            "agents": ("a1",),
            "role_claim": "groups",
            "role_map": ("gate-operators=operate",),
            "roles": ("read",),
            **changed,
        }
        federated = FederatedIdentities([OidcEntry(**settings)], self.workloads())
        for source in federated.sources:
            source.renew()
        entry = IdentityEntry(name="gateway", certificate_san="DNS:gateway-1.example.org", roles=("read",))
        own = x509.load_pem_x509_certificate(self.authority.read_bytes()).public_bytes(serialization.Encoding.DER)
        return ConfiguredIdentities([entry], None, federated, frozenset([own]))

    def workloads(self) -> tuple[SpiffeEntry, ...]:
        """Return the entries of both trust domains."""
        domain: Json = {"audience": AUDIENCE, "roles": ("read",), "agents": ("{id}",)}
        return (
            SpiffeEntry(
                trust_domain=DOMAIN,
                id=f"spiffe://{DOMAIN}/agents/*",
                bundle_file=self.folder / "domain.json",
                **domain,
            ),
            SpiffeEntry(
                trust_domain="evil.org", id="spiffe://evil.org/x", bundle_file=self.folder / "foreign.json", **domain
            ),
        )

    @contextmanager
    def serving(self, **changed: Any) -> Iterator[int]:
        """Run the HTTPS listener over the in-memory authority; give its port."""
        https = HttpsListener(
            "127.0.0.1",
            0,
            self.server,
            self.server,
            self.authority,
            more_authorities=lambda: authorities_of(self.workloads()),
        )
        listeners = Listeners(https=https)
        up = threading.Event()
        held: list[tuple[asyncio.AbstractEventLoop, Server]] = []

        async def main() -> None:
            server = Server(authority_api(Twin(), listeners), self.resolver(**changed), listeners)
            held.append((asyncio.get_running_loop(), server))
            await server.run(up.set, signals=False)

        thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
        thread.start()
        if not up.wait(60):
            raise RuntimeError("the listener did not start")
        try:
            yield held[0][1].https_port
        finally:
            held[0][0].call_soon_threadsafe(held[0][1].stop)
            thread.join(60)


def _x509(authority: Authority) -> Json:
    numbers = authority.key.public_key().public_numbers()
    point = {"x": _number(numbers.x, 32), "y": _number(numbers.y, 32)}
    return {"kty": "EC", "crv": "P-256", "use": "x509-svid", "x5c": [authority.x5c()], **point}


class Caller:
    """One connection to the listener."""

    def __init__(self, world: World, port: int, certificate: Path | None = None) -> None:
        context = ssl.create_default_context(cafile=str(world.authority))
        if certificate is not None:
            context.load_cert_chain(certificate)
        self._connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=60)

    def ask(self, credential: str | None) -> int:
        """Return the status of one request; 0 where the connection is refused already."""
        headers = {} if credential is None else {"authorization": f"Bearer {credential}"}
        try:
            self._connection.request("GET", "/v1/agents", headers=headers)
            answer = self._connection.getresponse()
            answer.read()
        except (ssl.SSLError, ConnectionError):
            return 0
        return answer.status

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
