"""Slicing never changes an answer: random policy sets and requests, and the Cedar corpus."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cedar_corpus import agrees, cases, load, question
from bench.cedar_faults import FAULTS
from sealgate.model.decisions import Outcome
from sealgate.policy.engine import Evaluator, Question, Verdict, load_entities
from sealgate.policy.policy_set import Link, parse_policies
from sealgate.policy.slicing import ScopeIndex, request_keys

_TYPES = ["A", "B", "N::C"]
_ACTIONS = ["x", "y", "z", "all"]
_uids = st.tuples(st.sampled_from(_TYPES), st.sampled_from(["1", "2", "3"]))


def _text(uid):
    return f'{uid[0]}::"{uid[1]}"'


_target = st.one_of(
    st.just(""),
    _uids.map(lambda uid: f" == {_text(uid)}"),
    _uids.map(lambda uid: f" in {_text(uid)}"),
    st.sampled_from(_TYPES).map(lambda name: f" is {name}"),
    st.tuples(st.sampled_from(_TYPES), _uids).map(lambda pair: f" is {pair[0]} in {_text(pair[1])}"),
)
_slot = st.sampled_from(["", " == ?{}", " in ?{}", " is A in ?{}"])
_action = st.one_of(
    st.just(""),
    st.sampled_from(_ACTIONS).map(lambda name: f' == Action::"{name}"'),
    st.sampled_from(_ACTIONS).map(lambda name: f' in Action::"{name}"'),
    st.lists(st.sampled_from(_ACTIONS), min_size=1, max_size=3).map(
        lambda names: " in [" + ", ".join(f'Action::"{name}"' for name in names) + "]"
    ),
)
_body = st.one_of(
    st.sampled_from(
        [
            "true",
            "false",
            "principal.n > 1",
            "resource.n == context.n",
            "context.n < 5",
            "1 + 9223372036854775807 > context.n",
            "principal in resource",
            "principal.friend.n == 2",
            "context.who in principal",
        ]
    ),
    st.tuples(_uids, _uids).map(lambda pair: f"{_text(pair[0])} in {_text(pair[1])}"),
    _uids.map(lambda uid: f"{_text(uid)}.n == 1"),
)
_effect = st.sampled_from(["permit", "forbid"])
_policy = st.tuples(_effect, _target, _action, _target, _body).map(
    lambda parts: f"{parts[0]}(principal{parts[1]}, action{parts[2]}, resource{parts[3]}) when {{ {parts[4]} }};"
)
_template = st.tuples(_effect, _slot, _action, _slot, _body).map(
    lambda parts: (
        f"{parts[0]}(principal{parts[1].format('principal')}, action{parts[2]}, "
        f"resource{parts[3].format('resource')}) when {{ {parts[4]} }};"
    )
)
_ALL = [(name, number) for name in _TYPES for number in "123"]


@st.composite
def _entities(draw):
    found = [
        {"uid": {"type": "Action", "id": name}, "attrs": {}, "parents": parents}
        for name, parents in [
            *((name, [{"type": "Action", "id": "all"}]) for name in "xy"),
            ("z", []),
            ("all", []),
        ]
    ]
    for position, (name, number) in enumerate(_ALL):
        if draw(st.integers(0, 5)) == 0:
            continue  # some entities do not exist
        later = _ALL[position + 1 :]  # parents only further on: no cycle
        parents = draw(st.lists(st.sampled_from(later), max_size=2, unique=True)) if later else []
        attrs = {"n": draw(st.integers(0, 3))} if draw(st.booleans()) else {}
        if draw(st.booleans()):
            friend = draw(_uids)
            attrs["friend"] = {"__entity": {"type": friend[0], "id": friend[1]}}
        parent_uids = [{"type": parent[0], "id": parent[1]} for parent in parents]
        found.append({"uid": {"type": name, "id": number}, "attrs": attrs, "parents": parent_uids})
    return found


@settings(max_examples=150, deadline=None)
@given(
    policies=st.lists(_policy, max_size=10),
    templates=st.lists(st.tuples(_template, _uids, _uids), max_size=3),
    entities=_entities(),
    requests=st.lists(st.tuples(_uids, st.sampled_from(_ACTIONS), _uids, _uids), min_size=1, max_size=6),
)
def test_slicing_equals_full_evaluation(policies, templates, entities, requests):
    """Same outcome, reason, policies and number of errors with and without slicing, templates and closures included."""
    loaded = {f"p{n}": parse_policies(text, "p")[0] for n, text in enumerate(policies)}
    links = []
    for number, (text, principal, resource) in enumerate(templates):
        policy = parse_policies(text, "t")[0]
        loaded[f"t{number}"] = policy
        if policy.is_template:
            values = {slot: uid for slot, uid in (("?principal", principal), ("?resource", resource)) if slot in text}
            links.append(Link(f"l{number}", f"t{number}", values))
    store = load_entities(entities, None)
    sliced = Evaluator(loaded, store, None, links=links)
    full = Evaluator(loaded, store, None, links=links, sliced=False)

    for principal, action, resource, who in requests:
        context = f'{{"n": 2, "who": {{"__entity": {{"type": "{who[0]}", "id": "{who[1]}"}}}}}}'
        asked = Question(principal, ("Action", action), resource, context, frozenset({who}))
        one, other = sliced.evaluate(asked), full.evaluate(asked)
        assert (one.outcome, one.reason, one.policies) == (other.outcome, other.reason, other.policies)
        assert len(one.errors) == len(other.errors)


def test_the_index_does_leave_policies_out():
    """Positive control: a slice is smaller than the set, so the comparison above compares something."""
    texts = [f'permit(principal == A::"{n}", action, resource);' for n in range(50)]
    trees = {f"p{n}": parse_policies(text, "p")[0].tree for n, text in enumerate(texts)}

    keys = [request_keys(uid, ()) for uid in (("A", "7"), ("Action", "x"), ("B", "1"))]

    assert ScopeIndex(trees).candidates(*keys) == ("p7",)


def test_corpus_sample(data_folder):
    """Every 60th case of the Cedar corpus: our answer is the corpus' answer, sliced and whole."""
    asked = 0
    for case in cases(data_folder, every=60):
        loaded = load(case)
        sliced, full = loaded.evaluator(), loaded.evaluator(sliced=False)
        for request in case.requests:
            validate = request.get("validateRequest", True)
            one = sliced.evaluate(question(request), validate=validate)
            other = full.evaluate(question(request), validate=validate)
            assert agrees(one, request), (case.name, request["description"], one)
            assert one.policies == other.policies
            asked += 1

    assert asked > 1000


@pytest.fixture(scope="module", name="permitted")
def _permitted(data_folder):
    """Requests that are permitted while nothing is broken: the positive control of every fault."""
    found = []
    for case in cases(data_folder, every=300):
        loaded = load(case)
        asked = question(case.requests[0])
        if loaded.evaluator().evaluate(asked).outcome is Outcome.PERMIT:
            found.append((loaded, asked))
    assert len(found) > 5
    return found


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.__name__ for fault in FAULTS])
def test_faults_never_permit(permitted, fault):
    """Each kind of injected fault turns a permitted request into one that is not."""
    rng = random.Random(4)  # noqa: S311  # a seeded choice of faults

    for loaded, asked in permitted * 3:
        answer = fault(loaded, asked, rng)
        assert not isinstance(answer, Verdict) or answer.outcome is not Outcome.PERMIT
