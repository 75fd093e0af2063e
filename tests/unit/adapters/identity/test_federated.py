"""Tokens and SVIDs turned into identities: mapping, proof, keys that age and change, bounded notes."""

import json
import time

import pytest

from bench.identity_world import ISSUER, WORKLOAD, EcSigner, World
from sealgate.adapters.configuration import loading
from sealgate.adapters.configuration.sections.callers import OidcEntry
from sealgate.adapters.identity.federated import FederatedIdentities
from sealgate.adapters.identity.replays import Replays
from sealgate.adapters.identity.spiffe import trust_domain_of
from sealgate.adapters.identity.trusted_keys import MAX_KEYS, TrustedKeys, read_keys
from sealgate.model.errors import ConfigurationError, SealgateError
from sealgate.ports.identity import Peer


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The issuers and certificates."""
    return World(tmp_path_factory.mktemp("identity"))


def _bearer(world, token, **changed):
    return world.resolver(**changed).resolve(Peer(), f"Bearer {token}")


def test_claims_become_principal_agents_and_roles(world):
    """Principal with the entry's name, agents of a claim (never all), roles by the map; and how it was proved."""
    token = world.access(azp=["a7", "*"], groups=["gate-operators", "others"])
    found = _bearer(world, token, agent_claim="azp")
    assert found.principal == "idp:u-17"
    assert found.agents == {"a1", "a7"}
    assert found.roles == {"read", "operate"}
    assert found.how == f"oidc:{ISSUER}"
    assert _bearer(world, world.access()).roles == {"read"}


def test_groups_cannot_join_roles_that_no_one_may_hold_together(world):
    """Publish by one group and approve by another is nobody; either alone is somebody."""
    mapping = ("p=publish", "q=approve")
    assert _bearer(world, world.access(groups=["p", "q"]), role_map=mapping) is None
    assert _bearer(world, world.access(groups=["p"]), role_map=mapping).roles == {"read", "publish"}


def test_an_svid_is_its_id(world):
    """Principal and `{id}` are the SPIFFE id; the trust domain vouches."""
    found = _bearer(world, world.jwt_svid())
    assert (found.principal, found.agents, found.how) == (WORKLOAD, {WORKLOAD}, "spiffe_jwt:example.org")


def test_an_expired_token_that_was_good_is_refused(world):
    """What is remembered of it does not outlive it."""
    now = [time.time()]
    entry = OidcEntry(
        name="idp", issuer=ISSUER, audience="https://gate.example.org", jwks_file=world.folder / "jwks.json"
    )
    federated = FederatedIdentities([entry], now_s=lambda: now[0])
    federated.sources[0].renew()
    peer, token = Peer(), world.access()
    assert federated.bearer(token, peer) is not None
    now[0] += 400
    assert federated.bearer(token, peer) is None
    assert federated.refused == {"expired": 1}


def test_a_key_that_is_withdrawn_proves_nothing_more(world, tmp_path):
    """Also for a token that was accepted before; a new key is looked for and then accepted."""
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [world.ec.jwk()]}))
    federated = FederatedIdentities(
        [OidcEntry(name="i", issuer=ISSUER, audience="https://gate.example.org", jwks_file=file)]
    )
    source = federated.sources[0]
    peer, token = Peer(), world.access()
    assert federated.bearer(token, peer) is None  # no keys yet
    source.renew()
    assert federated.bearer(token, peer) is not None
    new = EcSigner("e2")
    file.write_text(json.dumps({"keys": [new.jwk()]}))
    source.wanted.clear()
    assert federated.bearer(world.access(new), peer) is None
    assert source.wanted.is_set()
    source.renew()
    assert federated.bearer(token, peer) is None
    assert federated.bearer(world.access(new), peer) is not None


def test_keys_that_cannot_be_renewed_grow_too_old(world):
    """They hold for a while after the last success, and then not."""
    now = [0.0]
    keys = TrustedKeys(
        "i",
        file=world.folder / "jwks.json",
        form="jwks",
        algorithms=["ES256"],
        max_age_s=100,
        monotonic_s=lambda: now[0],
    )
    assert not keys.current().by_id
    keys.renew()
    now[0] = 99.0
    assert keys.current().by_id
    now[0] = 101.0
    assert not keys.current().by_id


def test_documents_of_keys_are_strict(world):
    """Private, doubled, too many, duplicate members, other shapes: refused. Other uses are left out."""
    good = {"keys": [world.ec.jwk()]}
    assert set(read_keys(json.dumps(good).encode(), "jwks", frozenset({"ES256"})).by_id) == {"e1"}
    assert not read_keys(json.dumps(good).encode(), "jwks", frozenset({"RS256"})).by_id
    assert not read_keys(json.dumps(good).encode(), "spiffe", frozenset({"ES256"})).by_id
    for bad in (
        b"[]",
        b"{",
        b'{"keys":[],"keys":[]}',
        json.dumps({"keys": [world.ec.jwk(d="x")]}).encode(),
        json.dumps({"keys": [world.ec.jwk()] * 2}).encode(),
        json.dumps({"keys": [world.ec.jwk()] * (MAX_KEYS + 1)}).encode(),
        json.dumps({"keys": [world.ec.jwk(x="AAAA")]}).encode(),
        json.dumps({"keys": [{"use": "x509-svid", "kty": "EC", "x5c": []}]}).encode(),
    ):
        with pytest.raises(SealgateError):
            read_keys(bad, "spiffe" if b"x5c" in bad else "jwks", frozenset({"ES256"}))


def test_notes_of_tokens_are_bounded_and_full_means_no():
    """A full note-book refuses the unknown, keeps the known, and has room again when tokens expire."""
    notes, peer = Replays(started_s=0.0, limit=2), Peer()

    def use(name, now, use="connection", at=peer):
        return notes.admit(name, at, use=use, expires_s=100.0, issued_s=1, now_s=now)

    assert use(b"a", 1.0)
    assert use(b"b", 1.0)
    assert not use(b"c", 1.0)
    assert use(b"a", 2.0)
    assert not use(b"a", 2.0, at=Peer())
    assert use(b"c", 100.0)
    assert use(b"a", 1.0, use="allow", at=Peer())


def test_a_token_from_before_the_start_is_not_used_once_again():
    """Notes do not survive a restart, so where a token counts once, older ones are refused."""
    notes = Replays(started_s=50.0)
    assert not notes.admit(b"a", Peer(), use="once", expires_s=100.0, issued_s=49, now_s=60.0)
    assert notes.admit(b"b", Peer(), use="once", expires_s=100.0, issued_s=50, now_s=60.0)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("spiffe://example.org/a", "example.org"),
        ("spiffe://example.org/a/b_c-D.1", "example.org"),
        ("spiffe://example.org", None),
        ("spiffe://example.org/", None),
        ("spiffe://example.org/a/", None),
        ("spiffe://example.org//a", None),
        ("spiffe://example.org/./a", None),
        ("spiffe://example.org/%61", None),
        ("spiffe://example.org:443/a", None),
        ("spiffe://u@example.org/a", None),
        ("spiffe://example.org/a?b", None),
        ("spiffe://Example.org/a", None),
        ("spiffe://example.org/" + "a" * 2048, None),
        ("https://example.org/a", None),
    ],
)
def test_spiffe_ids_are_strict(text, domain):
    """Only what the SPIFFE-ID specification allows, byte for byte."""
    assert trust_domain_of(text) == domain


_CONFIGURATION = """
[authority]
origin = "a.example/log"
id = "a"
[[oidc]]
name = "idp"
issuer = "https://idp.example.org"
audience = "gate"
{more}
"""


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('jwks_file = "k.json"', None),
        ('jwks_url = "https://idp.example.org/jwks"', None),
        ("", "place of keys"),
        ('jwks_file = "k.json"\njwks_url = "https://x"', "place of keys"),
        ('jwks_url = "http://idp.example.org/jwks"', "not fetched"),
        ('jwks_file = "k.json"\nalgorithms = ["HS256"]', "HS256"),
        ('jwks_file = "k.json"\nalgorithms = ["none"]', "none"),
        ('jwks_file = "k.json"\nalgorithms = []', "pin each"),
        ('jwks_file = "k.json"\naudience = ""', "TOML"),
        ('jwks_file = "k.json"\nrole_map = ["a=king"]', "names no role"),
        ('jwks_file = "k.json"\nroles = ["publish", "approve"]', "holds"),
        ('jwks_file = "k.json"\n[[identity]]\nname = "idp"\nuid = 1', "appears twice"),
        (
            'jwks_file = "k.json"\n[[spiffe]]\ntrust_domain = "a.org"\nid = "spiffe://b.org/x"\nbundle_file = "b.json"',
            "is not of",
        ),
    ],
)
def test_configuration_pins_everything(tmp_path, more, problem):
    """An issuer without keys, audience or asymmetric algorithm does not load; a complete one does."""
    text = _CONFIGURATION.format(more=more)
    if problem is not None:
        with pytest.raises(ConfigurationError, match=problem):
            loading.parse(text, base=tmp_path, environment={})
        return
    entry = loading.parse(text, base=tmp_path, environment={}).oidc[0]
    assert not entry.jwks_url or entry.jwks_url.startswith("https:")
    assert str(entry.jwks_file) in {".", str(tmp_path / "k.json")}
