"""Credentials of every kind over the real HTTPS listener: the cases of the benchmark, one by one."""

import pytest

from bench import identity
from bench.identity_world import World


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The issuers and certificates."""
    return World(tmp_path_factory.mktemp("identity"))


@pytest.fixture(scope="module")
def port(world):
    """The listener of that world."""
    with world.serving() as port:
        yield port


@pytest.mark.parametrize(("make", "certificate"), [case[1:] for case in identity.BAD], ids=[c[0] for c in identity.BAD])
def test_a_bad_credential_is_nobody(world, port, make, certificate):
    """Refused: 401, or no connection at all. Never more."""
    assert identity.ask(world, port, make(world), certificate) in {0, 401}


@pytest.mark.parametrize(
    ("make", "certificate"), [case[1:] for case in identity.GOOD], ids=[c[0] for c in identity.GOOD]
)
def test_a_good_credential_is_somebody(world, port, make, certificate):
    """The positive controls of all those above."""
    assert identity.ask(world, port, make(world), certificate) == 200


def test_a_copied_token_is_refused_on_another_connection(world, port):
    """By its id, and where it has none by what was signed; a bound one needs its certificate anyhow."""
    for token in (world.access(), world.access(jti=None), world.jwt_svid(exp=identity._now() + 250)):
        assert identity.replays(world, port, token) == (200, 200, 401)
    assert identity.replays(world, port, world.bound(world.client), "client") == (200, 200, 200)


def test_where_a_token_may_be_used_once_it_is(world):
    """The second request fails even on the same connection; with `allow` neither does."""
    with world.serving(replay="once") as port:
        assert identity.replays(world, port, world.access()) == (200, 401, 401)
    with world.serving(replay="allow") as port:
        assert identity.replays(world, port, world.access()) == (200, 200, 200)


def test_where_binding_is_asked_a_bearer_token_is_not_enough(world):
    """Unbound is refused beside any certificate; bound and fitting is accepted."""
    with world.serving(binding="certificate") as port:
        assert identity.ask(world, port, world.access(), "client") == 401
        assert identity.ask(world, port, world.bound(world.client), "client") == 200
