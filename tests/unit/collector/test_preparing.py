"""Items on their way in: each is judged by itself, and what is kept is canonical, routed and grouped."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealgate.adapters.redaction import PolicyRedactor
from sealgate.collector.preparing import Enrichment, Preparation, split
from sealgate.collector.routing import Route, Routing
from sealgate.encoding import canonical
from sealgate.model import items
from sealgate.model.errors import InputError, SealgateError
from sealgate.model.limits import MAX_BATCH_BODY_BYTES, MAX_BATCH_ITEMS

ANYONE = frozenset({"*"})


def item(number=0, **more):
    """One good item."""
    made = {
        "item_id": f"01a1fc46-fe05-7ad7-895d-{number:012x}",
        "kind": "event.logged",
        "time": "2026-11-21T03:00:00.000Z",
        "agent": "a1",
        "coverage": "captured",
        "source": "sdk",
        "attributes": {"event_type": "x"},
    }
    return made | more


def preparation(*routes, **enrichment):
    """A preparation with the smallest policy."""
    return Preparation(
        routing=Routing(routes or [Route("", "default")]),
        enrichment=Enrichment(**enrichment),
        redactor=PolicyRedactor({}, None),
    )


SMALLEST = preparation()


def codes(ready):
    """Positions and codes of what was refused."""
    return [(refused.position, refused.code) for refused in ready.rejected]


def test_bad_items_are_refused_one_by_one():
    """Each with its place, id and reason; the good ones around them are kept in order."""
    bad = [
        (item(1, agent="a2"), "subject-not-allowed"),
        ({"item_id": "x"}, "invalid"),
        (item(2, unknown=1), "invalid"),
        (item(3, coverage="observed", source="otlp"), "wrong-source"),
        (b'{"item_id":"a","item_id":"b"}', "malformed"),
        (b"not json", "malformed"),
        (item(4, attributes={"event_type": "x", "data": {"n": 2**60}}), "invalid"),
        (item(5, attributes={"event_type": "x", "data": {"text": "x " * 20_000}}), "too-large"),
        (item(6, region="mars"), "unroutable"),
        (7, "invalid"),
    ]
    mixed = [
        each
        for pair in zip((item(100 + n) for n in range(len(bad))), (b for b, _ in bad), strict=True)
        for each in pair
    ]
    known = Preparation(
        routing=Routing([Route("", "default", region="eu")]),
        enrichment=Enrichment(region="eu"),
        redactor=_Unchanged(),
    )

    ready = known.prepare(mixed, frozenset({"a1"}), "sdk")

    assert codes(ready) == [(2 * n + 1, code) for n, (_, code) in enumerate(bad)]
    assert ready.rejected[1].item_id == "x"
    (group,) = ready.groups
    assert group.ids == [item(100 + n)["item_id"] for n in range(len(bad))]


class _Unchanged:
    def redact(self, item):
        return item


@given(st.lists(st.one_of(st.none(), st.integers(), st.text(), st.dictionaries(st.text(), st.text()), st.binary())))
def test_anything_else_is_refused_and_never_raises(foreign):
    """Whatever stands where an item should."""
    ready = SMALLEST.prepare(foreign, ANYONE, "sdk")

    assert len(ready.rejected) == len(foreign)
    assert ready.groups == []


def test_what_is_kept_is_canonical_with_all_members():
    """Floats and unusual keys included; read back it is the item that was sent."""
    sent = item(attributes={"event_type": "x", "data": {"a": 50.0, "b": 1e-7, "ü": [1, None, True], "c": 0.25}})
    known = Preparation(routing=Routing([Route("", "d")]), enrichment=Enrichment(), redactor=_Unchanged())

    (group,) = known.prepare([json.dumps(sent).encode()], ANYONE, "sdk").groups

    kept = json.loads(group.items[0])
    assert canonical.encode_arguments(kept).decode() == group.items[0]
    assert kept["attributes"]["data"] == sent["attributes"]["data"]
    assert set(kept) == {"kind", "attributes", *items.Item.__struct_fields__}


def test_an_item_is_enriched_only_where_it_says_nothing():
    """What the sender knows stays."""
    known = preparation(environment="production", region="eu", deployment=(("cluster", "c1"), ("version", "2")))
    sent = [item(1), item(2, environment="test", deployment={"version": "1", "service": "s"})]

    (group,) = known.prepare(sent, ANYONE, "sdk").groups

    first, second = map(json.loads, group.items)
    assert (first["environment"], first["region"], first["deployment"]["cluster"]) == ("production", "eu", "c1")
    assert (second["environment"], second["deployment"]) == (
        "test",
        {"service": "s", "version": "1", "cluster": "c1", "instance": None},
    )


def test_raw_values_are_digests_by_default():
    """Without a policy the value is gone; a policy that keeps it keeps it."""
    sent = item(
        kind="tool.call",
        attributes={
            "tool": dict.fromkeys(
                ("server", "version", "publisher", "trust_level", "verification_score", "definition_sha256")
            )
            | {"name": "pay"},
            "input": {"digest": "d", "size_bytes": 3, "value": {"plain": "words"}},
        },
    )
    (group,) = preparation().prepare([sent], ANYONE, "sdk").groups

    assert "words" not in group.items[0]
    keeping = Preparation(
        routing=Routing([Route("", "d")]),
        enrichment=Enrichment(),
        redactor=PolicyRedactor({"defaults": {"content": "keep"}}, None),
    )
    assert "words" in keeping.prepare([sent], ANYONE, "sdk").groups[0].items[0]


def test_routes_choose_authority_and_class():
    """First match wins; a person's items have a group of their own, those of several people have none."""
    known = preparation(
        Route("https://eu", "eu-1y", region="eu"), Route("", "fin-10y", classification="financial"), Route("", "rest")
    )
    sent = [
        item(1, region="eu"),
        item(2, classification="financial"),
        item(3),
        item(4, subjects=["sub_a"]),
        item(5, subjects=["sub_a"], agent="a2"),
        item(6, subjects=["sub_a", "sub_b"]),
    ]

    groups = known.prepare(sent, ANYONE, "sdk").groups

    made = [(g.authority, g.retention_class, g.subject, g.agent, len(g.items)) for g in groups]
    assert made == [
        ("https://eu", "eu-1y", None, "a1", 1),
        ("", "fin-10y", None, "a1", 1),
        ("", "rest", None, "a1", 2),
        ("", "rest", "sub_a", None, 2),
    ]


def test_a_group_never_becomes_more_than_a_record_can_hold():
    """By number and by bytes, counted as they stand in the body."""
    large = [item(n, attributes={"event_type": "x", "data": {"q": '"' * 6000}}) for n in range(300)]
    known = Preparation(routing=Routing([Route("", "d")]), enrichment=Enrichment(), redactor=_Unchanged())

    groups = known.prepare([*large, *(item(1000 + n) for n in range(1200))], ANYONE, "sdk").groups

    assert sum(len(group.items) for group in groups) == 1500
    assert max(len(group.items) for group in groups) <= MAX_BATCH_ITEMS
    assert max(len(json.dumps(group.items)) for group in groups) <= MAX_BATCH_BODY_BYTES - 4096


@pytest.mark.parametrize("indent", [None, 1])
def test_a_native_batch_is_split_into_its_items(indent):
    """Compact as our client writes it, or as a person does."""
    separators = (",", ":") if indent is None else None
    body = json.dumps({"batch_id": "b", "items": [item(1), item(2)]}, indent=indent, separators=separators).encode()

    batch_id, parts = split(body)

    assert batch_id == "b"
    assert codes(preparation().prepare(parts, ANYONE, "sdk")) == []
    assert len(parts) == 2


@pytest.mark.parametrize("body", [b"", b"[]", b'{"batch_id":"b"}', b'{"batch_id":1,"items":[]}', b'{"items":[]}x'])
def test_what_is_no_batch_is_refused(body):
    """As a whole: there is nothing to keep."""
    with pytest.raises(InputError):
        split(body)


def test_a_key_that_comes_twice_condemns_only_its_item():
    """In a batch that is otherwise good."""
    good, twice = json.dumps(item(1)), json.dumps(item(2))[:-1] + ',"agent":"a1"}'
    _, parts = split(f'{{"batch_id":"b","items":[{good},{twice}]}}'.encode())

    assert codes(preparation().prepare(parts, ANYONE, "sdk")) == [(1, "malformed")]


def test_a_worker_gets_the_same_preparation():
    """A copy that went through a pipe judges alike."""
    known = preparation(Route("", "rest"), environment="e")
    copy = pickle.loads(pickle.dumps(known))  # noqa: S301  # our own bytes

    sent = [item(1), item(2, attributes={"event_type": "mail anna.meyer@example.com"})]
    assert copy.prepare(sent, ANYONE, "sdk").groups[0].items == known.prepare(sent, ANYONE, "sdk").groups[0].items
    assert "anna.meyer" not in copy.prepare(sent, ANYONE, "sdk").groups[0].items[1]


def test_an_item_that_cannot_be_redacted_is_not_kept():
    """It fails closed."""

    class Fails:
        def redact(self, item):
            raise SealgateError(f"no vault for {item['agent']}")

    known = Preparation(routing=Routing([Route("", "d")]), enrichment=Enrichment(), redactor=Fails())

    assert codes(known.prepare([item()], ANYONE, "sdk")) == [(0, "not-redacted")]
