"""Redaction of whatever text: nothing raised, nothing found afterwards, the same again."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from sealgate.privacy import FieldPolicy, KnownValue, KnownValues, RedactionKeys, redact_item, redact_text

POLICY = FieldPolicy.from_mapping({"defaults": {"content": "keep"}})
PIECES = st.sampled_from(
    ["ann@example.com", "4111 1111 1111 1111", "phone", " ", ": ", "044 668 18 00", "+41446681800", "%40", "\\u0040",
     "\u200b", "YW5uQGV4YW1wbGUuY29t", "616e6e406578616d706c652e636f6d", "born", "1990-04-05", "password=", "hunter2!x",
     "::1", "é", "\x00"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=12).map("".join), st.lists(PIECES).map(" ".join))
JSON = st.recursive(
    st.one_of(TEXTS, st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=10,
)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_text_is_clean_afterwards(text):
    """A masked text has nothing to mask, and masking it again gives the same."""
    masked, findings = redact_text(text, POLICY.scanner)

    assert redact_text(masked, POLICY.scanner)[0] == masked
    assert findings or masked == text
    assert all(0 <= one.start < one.end <= len(text) for one in findings)
    assert all(one.end <= two.start for one, two in pairwise(findings))


@given(JSON)
@settings(max_examples=150, deadline=None)
def test_item_is_clean_afterwards(value):
    """Any value: no exception, the kinds of members stay, redacting twice is as once."""
    item = {
        "kind": "event.logged",
        "task_id": None,
        "attributes": {"data": {"x": value}},
        "redactions": [],
        "salt": None,
    }

    once = redact_item(item, POLICY, RedactionKeys()).item
    twice = redact_item(once, POLICY, RedactionKeys()).item

    assert twice == once
    assert isinstance(once["attributes"]["data"], dict)
    assert not any(entry["type"] == "failed" for entry in once["redactions"])


@given(TEXTS)
@settings(max_examples=200, deadline=None)
def test_the_short_cut_misses_nothing(text):
    """Where the one look at all texts sees nothing, no detector finds anything."""
    if not POLICY.scanner.suspects(text):
        assert POLICY.scanner.find(text) == []


SMALLEST = FieldPolicy.from_mapping({})
FIELD_BY_FIELD = FieldPolicy.from_mapping({"field": [{"path": "attributes.of.nobody", "action": "drop"}]})
PEOPLE = KnownValues([KnownValue("name", "Ann Meyer", "sub_1"), KnownValue("phone", "1234567", "sub_2")])
NAMED = st.dictionaries(
    st.one_of(TEXTS, st.sampled_from(["phone", "Ann Meyer", "token"])),
    st.one_of(JSON, st.sampled_from(["ANN-meyer", 1234567, "12345678"])),
    max_size=5,
)


@given(NAMED, JSON, JSON, st.sampled_from([None, PEOPLE]))
@settings(max_examples=300, deadline=None)
def test_one_walk_does_what_every_field_by_itself_gets(data, raw, kept, known):
    """A policy without rules for an item's fields has a short way; it ends where the long way ends."""
    content = {"digest": None, "size_bytes": None, "media_type": None, "value": raw}
    item = {
        "kind": "event.logged",
        "task_id": "t",
        "attributes": {"data": data, "input": content, "parts": [{"content": content, "title": kept}], "note": None},
        "redactions": [],
        "salt": "A" * 22,
    }

    short = redact_item(item, SMALLEST, RedactionKeys(), known).item
    long = redact_item(item, FIELD_BY_FIELD, RedactionKeys(), known).item

    for made in (short, long):
        del made["privacy_policy"]
        made["redactions"].sort(key=str)
    assert short == long
