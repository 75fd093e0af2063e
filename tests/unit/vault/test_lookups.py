"""Look-ups: two persons, a reason, once, and a record before anything is told."""

import threading

import pytest

from sealgate.model.errors import InputError, NotPermittedError, UnavailableError
from sealgate.vault.tokens import Value

from .conftest import person

ALICE, BOB, CAROL = (person(name, "lookup", "consent") for name in ("alice", "bob", "carol"))
REASON = "fraud case 4711, asked for by legal"


@pytest.fixture(name="token")
def _token(world):
    """A token of a value."""
    return world.tokens.exchange([Value("email", "bob@example.org")])[0]


def _operations(world):
    return [(event.operation, event.outcome, event.caller.principal) for event in world.authority.events]


def test_two_persons_tell_a_value_once(world, token):
    """Asked by one, agreed to by another, fetched once by the first; all of it is recorded, the telling before it."""
    wish = world.lookups.request(token, REASON, ALICE)
    assert world.lookups.fetch(wish.lookup_id, ALICE).value is None
    assert [found.lookup_id for found in world.lookups.pending()] == [wish.lookup_id]
    world.lookups.decide(wish.lookup_id, BOB, consent=True)
    world.reopen()

    assert world.lookups.fetch(wish.lookup_id, ALICE).value == "bob@example.org"
    again = world.lookups.fetch(wish.lookup_id, ALICE)
    assert (again.value, again.state) == (None, "disclosed")
    assert _operations(world) == [
        ("lookup.request", "allowed", "alice"),
        ("lookup.consent", "allowed", "bob"),
        ("lookup.disclose", "allowed", "alice"),
    ]
    last = world.authority.events[-1]
    assert (last.target, last.reason, last.approver, last.count) == (token, REASON, "bob", 1)


def test_nobody_consents_to_oneself(world, token):
    """The requester's own consent is refused and recorded as refused; another person's works."""
    wish = world.lookups.request(token, REASON, ALICE)
    with pytest.raises(NotPermittedError) as refused:
        world.lookups.decide(wish.lookup_id, ALICE, consent=True)
    assert refused.value.code == "second-person-needed"
    assert _operations(world)[-1] == ("lookup.consent", "refused", "alice")
    assert world.lookups.fetch(wish.lookup_id, ALICE).value is None

    world.lookups.decide(wish.lookup_id, BOB, consent=True)
    assert world.lookups.fetch(wish.lookup_id, ALICE).value == "bob@example.org"


def test_only_the_requester_learns_it(world, token):
    """Neither who agreed nor anybody else gets the value, each try is recorded; the requester gets it afterwards."""
    wish = world.lookups.request(token, REASON, ALICE)
    world.lookups.decide(wish.lookup_id, BOB, consent=True)
    for other in (BOB, CAROL):
        with pytest.raises(NotPermittedError):
            world.lookups.fetch(wish.lookup_id, other)
        assert _operations(world)[-1] == ("lookup.disclose", "refused", other.principal)

    assert world.lookups.fetch(wish.lookup_id, ALICE).value == "bob@example.org"


@pytest.mark.parametrize("late", ["consent", "fetch"])
def test_a_look_up_expires(world, token, late):
    """Too late to agree, or to fetch; in time it works."""
    wish = world.lookups.request(token, REASON, ALICE)
    if late == "consent":
        world.now += 60_000
        with pytest.raises(NotPermittedError, match="expired"):
            world.lookups.decide(wish.lookup_id, BOB, consent=True)
        assert world.lookups.pending() == []
    else:
        world.now += 59_999
        world.lookups.decide(wish.lookup_id, BOB, consent=True)
        world.now += 60_000
    found = world.lookups.fetch(wish.lookup_id, ALICE)

    assert (found.value, found.state) == (None, "expired")


def test_a_refusal_ends_it(world, token):
    """A refused look-up cannot be agreed to any more; the refusal is recorded."""
    wish = world.lookups.request(token, REASON, ALICE)
    world.lookups.decide(wish.lookup_id, BOB, consent=False)
    with pytest.raises(NotPermittedError, match="refused"):
        world.lookups.decide(wish.lookup_id, CAROL, consent=True)

    assert world.lookups.fetch(wish.lookup_id, ALICE).state == "refused"
    assert _operations(world)[-1] == ("lookup.refuse", "allowed", "bob")


@pytest.mark.parametrize("step", ["request", "consent", "fetch"])
def test_what_cannot_be_recorded_does_not_happen(world, token, step):
    """With the authority away each step is refused and changes nothing; with it back it goes on from there."""

    def request():
        return world.lookups.request(token, REASON, ALICE).lookup_id

    steps = [("request", request)]
    wish = None if step == "request" else request()
    steps += [
        ("consent", lambda: world.lookups.decide(wish, BOB, consent=True)),
        ("fetch", lambda: world.lookups.fetch(wish, ALICE)),
    ]
    for name, take in steps[0 if wish is None else 1 :]:
        if name == step:
            world.authority.failing = True
            with pytest.raises(UnavailableError):
                take()
            world.authority.failing = False
        done = take()
        wish = wish or done

    assert world.lookups.fetch(wish, ALICE).state == "disclosed"


def test_a_look_up_needs_a_reason_and_a_token(world, token):
    """Too short a reason is refused; a token that stands for nothing too, and that is recorded."""
    for reason in ("", "because", " " * 50, "x" * 1025):
        with pytest.raises(InputError, match="reason"):
            world.lookups.request(token, reason, ALICE)
    with pytest.raises(NotPermittedError):
        world.lookups.request("tok_" + "a" * 26, REASON, ALICE)
    with pytest.raises(NotPermittedError):
        world.lookups.request("bob@example.org", REASON, ALICE)

    assert [outcome for _, outcome, _ in _operations(world)] == ["refused", "refused"]
    assert world.lookups.request(token, REASON, ALICE).state == "pending"


def test_of_many_that_fetch_at_once_one_gets_it(world, token):
    """Eight threads fetch the same look-up: one value, the others none."""
    wish = world.lookups.request(token, REASON, ALICE)
    world.lookups.decide(wish.lookup_id, BOB, consent=True)
    values: list[str | None] = []

    def fetch():
        try:
            values.append(world.lookups.fetch(wish.lookup_id, ALICE).value)
        except NotPermittedError:
            values.append(None)

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(values, key=str) == [None] * 7 + ["bob@example.org"]
    assert [operation for operation, *_ in _operations(world)].count("lookup.disclose") == 1
