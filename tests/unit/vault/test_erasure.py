"""Erasing a person in the vault: asked first, forgotten, told; finished after any crash."""

import os

import pytest

from sealgate.adapters.vault.database import SqlcipherVault
from sealgate.model.erasure import ErasureRequest, State
from sealgate.model.errors import NotPermittedError, UnavailableError
from sealgate.vault.tokens import Value

from .conftest import person

OFFICER = person("officer", "subjects")
ID = "00000000-0000-4000-8000-000000000001"
REQUEST = ErasureRequest(erasure_id=ID, basis="gdpr-17-1-b")


def test_an_erased_person_is_nobody(world):
    """Values, keys and look-ups are gone, the token stands for nothing; another person with one of them keeps it."""
    ada = world.ada()
    grace = world.tokens.register([Value("phone", "+442079460018"), Value("name", "Grace")], None, OFFICER)
    token = world.tokens.exchange([Value("email", "ada@example.org", ada)])[0]
    wish = world.lookups.request(token, "a reason that is long enough", person("alice"))
    with world.store.transaction():
        row = world.store.by_token(token)
    assert row.sealed
    done = world.erasures.erase(ada, REQUEST, OFFICER)

    assert (done.state, done.vault, done.operator) == (State.EXECUTED, "erased", "officer")
    assert world.authority.erasures == ["pending", "erased"]
    assert world.tokens.find(Value("email", "ada@example.org"), OFFICER) == []
    assert world.tokens.find(Value("phone", "+442079460018"), OFFICER) == [grace]
    assert {value.subject for value in world.tokens.known(None, OFFICER).values} == {grace}
    with pytest.raises(NotPermittedError):
        world.tokens.export(ada, OFFICER)
    with pytest.raises(NotPermittedError):
        world.lookups.fetch(wish.lookup_id, person("alice"))
    with pytest.raises(NotPermittedError):
        world.tokens.exchange([Value("name", "Ada", ada)])
    with world.store.transaction():
        assert world.store.values_of(ada) == []
        assert world.store.subject(ada).key is None
    assert world.erasures.status(ada).state == "erased"
    assert world.erasures.erase(ada, REQUEST, OFFICER) == done
    assert world.ada() != ada  # the same person may come again, as somebody new


def test_a_hold_keeps_everything(world):
    """A refusal leads back: the values are there, and a later erasure without the hold works."""
    ada = world.ada()
    world.authority.hold = True
    refused = world.erasures.erase(ada, REQUEST, OFFICER)

    assert refused.state is State.REFUSED
    assert world.erasures.erase(ada, REQUEST, OFFICER) == refused
    assert world.tokens.find(Value("email", "ada@example.org"), OFFICER) == [ada]
    world.authority.hold = False
    again = ErasureRequest(erasure_id=ID[:-1] + "2", basis="gdpr-17-1-b")
    assert world.erasures.erase(ada, again, OFFICER).state is State.EXECUTED


def test_an_absent_authority_only_delays(world):
    """Nothing is forgotten unasked; nothing new comes in meanwhile; `resume` finishes it when the authority is back."""
    ada = world.ada()
    world.authority.failing = True
    with pytest.raises(UnavailableError):
        world.erasures.erase(ada, REQUEST, OFFICER)
    with world.store.transaction():
        assert len(world.store.values_of(ada)) == 2
    with pytest.raises(NotPermittedError, match="is erasing"):
        world.tokens.exchange([Value("name", "Ada", ada)])
    with pytest.raises(NotPermittedError) as other:
        world.erasures.erase(ada, ErasureRequest(erasure_id=ID[:-1] + "2", basis="other"), OFFICER)
    assert other.value.code == "erasure-under-way"
    assert world.erasures.resume() == 0
    world.reopen()
    world.authority.failing = False

    assert world.erasures.resume() == 1
    assert world.erasures.status(ada).erasure.state is State.EXECUTED


def _die_at(world, monkeypatch, wanted):
    """Let the process die before one of the calls that change something."""
    counts = {}

    def before(name, function):
        def wrapped(*arguments):
            counts[name] = counts.get(name, 0) + 1
            if wanted in (name, f"{name} {counts[name]}"):
                os._exit(9)
            return function(*arguments)

        return wrapped

    monkeypatch.setattr(SqlcipherVault, "transaction", before("transaction", SqlcipherVault.transaction))
    monkeypatch.setattr(SqlcipherVault, "scrub", before("scrub", SqlcipherVault.scrub))
    monkeypatch.setattr(world.authority, "erase", before("erase", world.authority.erase))


@pytest.mark.parametrize("call", ["erase 1", "transaction 2", "scrub", "erase 2", "transaction 3"])
def test_killed_before_any_step_it_is_finished(world, monkeypatch, call):
    """The next start resumes: the person is erased once and wholly, whichever step was the last."""
    ada, grace = world.ada(), world.tokens.register([Value("name", "Grace")], None, OFFICER)
    child = os.fork()
    if child == 0:
        _die_at(world, monkeypatch, call)
        world.erasures.erase(ada, REQUEST, OFFICER)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    world.reopen()

    assert world.erasures.resume() == 1
    assert world.erasures.status(ada).state == "erased"
    assert world.tokens.find(Value("email", "ada@example.org"), OFFICER) == []
    assert world.tokens.find(Value("name", "Grace"), OFFICER) == [grace]


def test_a_kill_in_a_transaction_leaves_the_state_before(world):
    """A child dies between a removal and its commit: everything is still there."""
    ada = world.ada()
    child = os.fork()
    if child == 0:
        with world.store.transaction():
            world.store.remove_values(ada)
            os._exit(9)
    os.waitpid(child, 0)
    world.reopen()

    with world.store.transaction():
        assert len(world.store.values_of(ada)) == 2
