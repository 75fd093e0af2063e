"""Identity: what proves a caller, and that everything else is nobody."""

import datetime as dt
import hashlib
import os
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sealgate.adapters.configuration.sections.callers import IdentityEntry
from sealgate.adapters.identity.api_keys import ApiKeys
from sealgate.adapters.identity.resolver import ConfiguredIdentities
from sealgate.model.errors import ConfigurationError, InputError, SealgateError
from sealgate.ports.identity import Peer, UnixPeer

NOW = "2026-11-21T00:00:00.000Z"


def _certificate(*names: x509.GeneralName, common_name: str = "agent.example") -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(start).not_valid_after(start + dt.timedelta(days=1))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@pytest.fixture(name="api_keys")
def _api_keys(tmp_path: Path) -> ApiKeys:
    """An empty file of API keys."""
    return ApiKeys(tmp_path / "api-keys.json")


def _unix(uid: int, gid: int = 9) -> Peer:
    return Peer(unix=UnixPeer(1, uid, gid))


def test_the_kernel_names_a_user():
    """User 0 is a user like others; the first entry that fits wins; who fits none is nobody."""
    resolver = ConfiguredIdentities(
        [
            IdentityEntry(name="root", uid=0, agents=("*",), roles=("administer",)),
            IdentityEntry(name="agent", uid=1001, agents=("a1",), roles=("enforce",)),
            IdentityEntry(name="group", gid=77, agents=("a2",)),
        ]
    )

    assert resolver.resolve(_unix(0), None).principal == "root"
    found = resolver.resolve(_unix(1001, 77), None)
    assert (found.principal, found.proof, found.agents) == ("agent", "unix_peer", {"a1"})
    assert resolver.resolve(_unix(5, 77), None).principal == "group"
    assert resolver.resolve(_unix(5), None) is None
    assert resolver.resolve(Peer(), None) is None
    assert ConfiguredIdentities([]).resolve(_unix(0), None) is None


def test_a_certificate_is_known_by_fingerprint_or_name():
    """Exact fingerprint or exact alternative name; the common name names nobody."""
    known = _certificate()
    named = _certificate(x509.DNSName("agent.example"), x509.UniformResourceIdentifier("spiffe://example/agent"))
    resolver = ConfiguredIdentities(
        [
            IdentityEntry(name="pinned", certificate_sha256=hashlib.sha256(known).hexdigest()),
            IdentityEntry(name="workload", certificate_san="URI:spiffe://example/agent"),
            IdentityEntry(name="host", certificate_san="DNS:agent.example"),
        ]
    )

    assert resolver.resolve(Peer(certificate=known), None).principal == "pinned"
    assert resolver.resolve(Peer(certificate=named), None).principal == "workload"
    assert resolver.resolve(Peer(certificate=_certificate(x509.DNSName("agent.example"))), None).principal == "host"
    assert resolver.resolve(Peer(certificate=_certificate(x509.DNSName("x.agent.example"))), None) is None
    assert resolver.resolve(Peer(certificate=_certificate()), None) is None
    assert resolver.resolve(Peer(certificate=b"not a certificate"), None) is None


def test_an_api_key_proves_its_caller(api_keys, tmp_path):
    """The token that was shown works, is nowhere on disk, and its secret has 256 bits."""
    key, token = api_keys.add("ci", agents=["a1"], roles=["enforce", "read"], created=NOW)
    found = ConfiguredIdentities([], api_keys).resolve(Peer(), f"Bearer {token}")

    assert (found.principal, found.proof, found.agents, found.roles) == ("ci", "api_key", {"a1"}, {"enforce", "read"})
    secret = token.split("_", 2)[2]
    assert len(secret) == 43
    assert secret.encode() not in (tmp_path / "api-keys.json").read_bytes()
    assert token.startswith(f"sg_{key.id}_")
    assert (tmp_path / "api-keys.json").stat().st_mode & 0o777 == 0o600


def test_a_wrong_key_is_decisive(api_keys):
    """A bad header is never overlooked in favour of what the connection proves."""
    resolver = ConfiguredIdentities([IdentityEntry(name="root", uid=0)], api_keys)
    _, token = api_keys.add("ci", agents=[], roles=[], created=NOW)
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")

    assert resolver.resolve(_unix(0), f"bearer {token}").principal == "ci"
    for header in (f"Bearer {changed}", "Bearer ", "Bearer sg_x_y", f"Basic {token}", token, "", f"Bearer {token} x"):
        assert resolver.resolve(_unix(0), header) is None
    assert ConfiguredIdentities([]).resolve(_unix(0), f"Bearer {token}") is None


def test_revocation_reaches_a_running_authority(api_keys, tmp_path):
    """Another process revokes; the next request is refused; other keys live on."""
    key, token = api_keys.add("one", agents=[], roles=[], created=NOW)
    _, other = api_keys.add("two", agents=[], roles=[], created=NOW)
    assert api_keys.identify(token).principal == "one"

    ApiKeys(tmp_path / "api-keys.json").revoke(key.id, revoked=NOW)

    assert api_keys.identify(token) is None
    assert api_keys.identify(other).principal == "two"
    assert [(item.name, item.revoked) for item in api_keys.all()].count(("one", NOW)) == 1
    assert api_keys.revoke(key.id, revoked="later").revoked == NOW


def test_a_file_open_to_others_proves_nobody(api_keys, tmp_path):
    """A file that others could have written proves nothing until its mode is right again."""
    _, token = api_keys.add("one", agents=[], roles=[], created=NOW)
    (tmp_path / "api-keys.json").chmod(0o666)

    assert api_keys.identify(token) is None
    with pytest.raises(ConfigurationError, match="others can reach it"):
        api_keys.all()
    (tmp_path / "api-keys.json").chmod(0o600)
    assert api_keys.identify(token).principal == "one"


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b'{"format":"sealgate-api-keys/v1","keys":[{}]}', pytest.param(os.urandom(64), id="random")],
)
def test_a_damaged_file_proves_nobody(api_keys, tmp_path, data):
    """Whatever is in the file, the answer is nobody and the operator sees our error."""
    _, token = api_keys.add("one", agents=[], roles=[], created=NOW)
    (tmp_path / "api-keys.json").write_bytes(data)

    assert api_keys.identify(token) is None
    with pytest.raises(SealgateError):
        api_keys.all()


def test_what_cannot_be_granted_is_refused(api_keys):
    """Roles are a closed set, names are names, unknown keys are not revoked."""
    with pytest.raises(InputError, match="not a role"):
        api_keys.add("one", agents=[], roles=["root"], created=NOW)
    with pytest.raises(InputError):
        api_keys.add("", agents=[], roles=[], created=NOW)
    with pytest.raises(InputError, match="no API key"):
        api_keys.revoke("00", revoked=NOW)

    assert api_keys.all() == []
