"""The book of approvals under any order of events: used no more than allowed, never without enough people."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealgate.authority.approval import Approval, Vote, uncovered
from sealgate.authority.approval_book import Book
from sealgate.authority.approval_requests import number, within
from sealgate.model.approvals import Bound, CapabilityTerms, Needed
from sealgate.model.errors import NotPermittedError
from sealgate.model.lifecycle import (
    APPROVAL_TRANSITIONS,
    ApprovalEvent,
    ApprovalState,
    advance_approval,
)

PEOPLE = {"a": ["x"], "b": ["x", "y"], "c": ["y"], "d": []}
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("yes"), st.sampled_from(sorted(PEOPLE))),
        st.tuples(st.just("no"), st.sampled_from(sorted(PEOPLE))),
        st.tuples(st.just("use"), st.integers(0, 9)),
        st.tuples(st.just("unused"), st.integers(0, 9)),
        st.tuples(st.just("expire"), st.none()),
        st.tuples(st.just("revoke"), st.none()),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=40,
)


def _approval(uses):
    return Approval(
        id="1",
        scope="capability" if uses else "action",
        agent="a1",
        principal="p",
        on_behalf_of=[],
        tool="pay",
        resource="t::r",
        definition_sha256=None,
        policies=[],
        policy_version="v",
        needed=[Needed("x", 1), Needed("y", 1)],
        requested_ms=0,
        expires_ms=1000,
        binding="b",
        terms=CapabilityTerms(["pay"], uses) if uses else None,
    )


def _restarted(book):
    raw = msgspec.json.encode(book.dump())
    after = Book()
    after.load(msgspec.json.decode(raw, type=type(book.dump())))
    assert msgspec.json.encode(after.dump()) == raw
    return after


@given(events=EVENTS, uses=st.integers(0, 3))
def test_used_no_more_than_allowed_and_only_when_granted(events, uses):
    """Whatever comes in whatever order: a use needs enough different people, and there are never too many uses."""
    book = Book()
    book.add(_approval(uses))
    voted = set()
    for event, value in events:
        approval = book.get("1")
        before = approval.state
        match event:
            case "yes" | "no" if value not in voted:
                voted.add(value)
                book.vote("1", Vote(value, "api_key", PEOPLE[value], 1, ""), grant=event == "yes")
            case "use" if book.usable(approval, 10, "v"):
                assert uncovered(approval.needed, {vote.principal: vote.roles for vote in approval.votes}) == 0
                book.consume("1", f"d{value}", "0")
            case "unused":
                book.unused(f"d{value}")
            case "expire":
                book.finish("1", ApprovalEvent.EXPIRE)
            case "revoke":
                book.finish("1", ApprovalEvent.REVOKE)
            case "restart":
                book = _restarted(book)
            case _:
                pass
        after = book.get("1")
        assert len(after.uses) <= after.max_uses
        assert not book.usable(after, 1000, "v")
        assert not book.usable(after, 10, "another")
        if before in {ApprovalState.REFUSED, ApprovalState.EXPIRED, ApprovalState.REVOKED}:
            assert after.state is before


@given(state=st.sampled_from(list(ApprovalState)), event=st.sampled_from(list(ApprovalEvent)))
def test_the_table_is_the_only_way(state, event):
    """What is in the table happens; everything else is refused with a code."""
    if (state, event) in APPROVAL_TRANSITIONS:
        assert advance_approval(state, event) is APPROVAL_TRANSITIONS[state, event]
        return
    with pytest.raises(NotPermittedError) as refused:
        advance_approval(state, event)
    assert refused.value.code in {"approval-decided", "approval-expired"}


def test_one_person_fills_one_place_and_as_well_as_can_be():
    """Both roles in one person are one person; who came first does not take the only place of another."""
    needed = [Needed("x", 1), Needed("y", 1)]

    assert uncovered(needed, {"b": ["x", "y"]}) == 1
    assert uncovered(needed, {"b": ["x", "y"], "a": ["x"]}) == 0
    assert uncovered(needed, {"a": ["x"], "e": ["x"]}) == 1
    assert uncovered([Needed("x", 2)], {"a": ["x"], "b": ["x", "y"]}) == 0


def test_bounds_hold_exactly():
    """A bound fits its type and value; what is absent or of another type does not."""
    assert within(Bound("n", at_most=5), {"n": 5})
    assert not within(Bound("n", at_most=5), {"n": 5.0000001})
    assert not within(Bound("n", at_most=5), {"n": "5"})
    assert not within(Bound("n", at_most=5), {"n": True})
    assert not within(Bound("n", at_most=5), {})
    assert within(Bound("s", one_of=["x", 1]), {"s": 1})
    assert not within(Bound("s", one_of=["x", 1]), {"s": True})
    assert within(Bound("s", prefix="/srv/"), {"s": "/srv/a"})
    assert not within(Bound("s", prefix="/srv/"), {"s": ["/srv/a"]})
    assert number(float("inf")) is None
