"""Items lose what the policy does not keep, say so, and never leave raw by a failure."""

import copy
import json

import pytest

from sealgate.privacy import (
    FieldPolicy,
    KnownValue,
    KnownValues,
    RedactionKeys,
    Scanner,
    redact_item,
    redact_text,
    values,
)

MINIMAL = FieldPolicy.from_mapping({})
KEYS = RedactionKeys(bytes(range(32)))
RAW = {"to": "GB29NWBK60161331926819", "amount": 5, "note": "for ann@example.com"}


def _content(value):
    return {"digest": None, "size_bytes": None, "media_type": None, "value": value}


def _item(**attributes):
    return {
        "item_id": "0197", "kind": "tool.call", "agent": "a", "session_id": "s", "task_id": "t", "salt": "A" * 22,
        "classification": None, "subjects": [], "redactions": [],
        "attributes": {"tool": {"name": "send_money", "server": "bank"}, **attributes},
    }  # fmt: skip


def _policy(*fields, **more):
    return FieldPolicy.from_mapping({"field": list(fields), **more})


def test_a_uuid_holds_no_telephone_number():
    """An outcome names its call by a UUID, in a field whose name has `call` in it; some groups are digits alone."""
    call = "01a229ba-0dab-7123-8456-da976f20efa9"
    everywhere = ["01229012-0123-7123-8456-012345678901", f"call {call}", f"phone:{call.upper()}.", call]

    for text in everywhere:
        item = {**_item(), "attributes": {"call_item_id": text, "message": f"call {text}"}}
        kept = redact_item(item, MINIMAL, KEYS).item["attributes"]
        assert kept == {"call_item_id": text, "message": f"call {text}"}

    for text in ("call 7123-8456", "call 0dab-7123-8456-da976f20efa9", f"call {call[:-1]} or 7123-8456"):
        assert "[phone]" in redact_text(text, MINIMAL.scanner)[0]


def test_contents_are_digest_and_size_without_a_policy():
    """The built-in policy keeps of a raw input its salted digest and its size, and says so."""
    done = redact_item(_item(input=_content(RAW)), MINIMAL, KEYS)
    kept = done.item["attributes"]["input"]

    assert kept["value"] is None
    assert kept["size_bytes"] == len(json.dumps(RAW, separators=(",", ":")))
    assert len(kept["digest"]) == 43
    assert done.item["privacy_policy"] == MINIMAL.digest
    assert [(r.path, r.action) for r in done.redactions] == [("attributes.input", "digest")]


def test_digest_hangs_on_the_salt():
    """The same input under another salt has another digest; without a salt it has none."""
    digests = {
        redact_item(_item(input=_content(RAW)) | {"salt": salt}, MINIMAL, KEYS).item["attributes"]["input"]["digest"]
        for salt in ("A" * 22, "B" * 22, None)
    }

    assert len(digests) == 3
    assert None in digests


def test_free_text_is_masked():
    """What detectors find in other text becomes the name of its type; the rest stays."""
    done = redact_item(_item(error={"message": "ann@example.com has 4111111111111111, sorry"}), MINIMAL, KEYS)

    assert done.item["attributes"]["error"]["message"] == "[email] has [card], sorry"
    assert done.item["classification"] == "financial"
    assert {(r.type, r.action, r.count) for r in done.redactions} == {("email", "mask", 1), ("card", "mask", 1)}


def test_numbers_names_and_identifiers_are_looked_at():
    """A card as a number, an address as a member's name or as the task's identifier: none leaves."""
    item = _item(extra={"ann@example.com": 1, "card": 4111111111111111, "n": 12, "ok": True})
    done = redact_item(item | {"task_id": "ann@example.com"}, MINIMAL, KEYS)

    assert done.item["attributes"]["extra"] == {"[email]": 1, "card": "[card]", "n": 12, "ok": True}
    assert done.item["task_id"].startswith("hmac_")
    assert "ann@" not in json.dumps(done.item)
    assert (
        redact_item(item | {"task_id": "ann@example.com"}, MINIMAL, RedactionKeys()).item["task_id"] == "[identifier]"
    )


def test_allow_list_below_a_content():
    """Named fields of a content stay, the rest of it goes."""
    policy = _policy({"path": "attributes.input.value.amount", "action": "keep", "tool": "send_*"})
    kept = redact_item(_item(input=_content(RAW)), policy, KEYS).item["attributes"]["input"]

    assert kept["value"] == {"amount": 5}
    assert kept["digest"]


@pytest.mark.parametrize(
    ("action", "expected"),
    [("drop", None), ("mask", "[masked]"), ("keep", "see [email]"), ("token", "[masked]")],
)
def test_actions_on_a_field(action, expected):
    """Each action does to a text what the reference says."""
    done = redact_item(_item(note="see ann@example.com"), _policy({"path": "attributes.note", "action": action}), KEYS)

    assert done.item["attributes"]["note"] == expected


def test_hash_is_keyed_and_dropped_without_a_key():
    """A hash hangs on the key and on the type; without a key the field is emptied."""
    policy = _policy({"path": "attributes.note", "action": "hash", "type": "note"})
    values = [
        redact_item(_item(note="x"), policy, keys).item["attributes"]["note"]
        for keys in (KEYS, RedactionKeys(bytes(32)), RedactionKeys())
    ]

    assert values[0].startswith("hmac_")
    assert values[0] != values[1]
    assert values[2] is None
    with pytest.raises(ValueError, match="at least 32"):
        RedactionKeys(b"short")


def test_tokens_and_what_is_missing():
    """A token at hand replaces the value; one that is not leaves a mask and the wish, which no log shows."""

    class Tokens:
        def token(self, kind, value, subject):
            del kind, subject
            return "tok_abc" if value == "ann@example.com" else None

    policy = FieldPolicy.from_mapping({"actions": {"default": "token"}})
    known = KnownValues([KnownValue("email", "bob@example.com", "sub_b")])
    done = redact_item(_item(note="ann@example.com or bob@example.com"), policy, KEYS, known, Tokens())

    assert done.item["attributes"]["note"] == "tok_abc or [email]"
    assert [(w.type, w.value, w.subject) for w in done.needs_tokens] == [("email", "bob@example.com", "sub_b")]
    assert "bob" not in repr(done)
    assert "bob" not in repr(done.needs_tokens)


def test_subjects_are_named():
    """The subjects whose known values were seen are listed, once."""
    known = KnownValues([KnownValue("name", "Ann Lee", "sub_a"), KnownValue("email", "ann@example.com", "sub_a")])
    done = redact_item(_item(note="Ann Lee <ann@example.com>"), MINIMAL, KEYS, known)

    assert done.item["subjects"] == ["sub_a"]
    assert done.item["classification"] == "personal"
    assert "nn" not in done.item["attributes"]["note"]


def test_own_patterns():
    """A site's pattern is found like any other, with its context where it asks for one."""
    table = {"pattern": [{"name": "employee", "pattern": "E-[0-9]{6}", "context": "staff"}]}
    policy = FieldPolicy.from_mapping(table)

    assert redact_item(_item(note="staff E-123456"), policy, KEYS).item["attributes"]["note"] == "staff [employee]"
    assert redact_item(_item(note="order E-123456"), policy, KEYS).item["attributes"]["note"] == "order E-123456"


def test_input_stays_as_it_is():
    """The item that is given is not changed: what the tool executes is never redacted."""
    item = _item(input=_content(RAW), note="ann@example.com", extra={"a": ["4111111111111111"]})
    before = copy.deepcopy(item)

    redact_item(item, MINIMAL, KEYS)

    assert item == before


def test_twice_is_as_once():
    """Redacting a redacted item changes nothing."""
    item = _item(input=_content(RAW), note="call +41 44 668 18 00 or 044 668 18 00, ann@example.com")
    once = redact_item(item, MINIMAL, KEYS).item

    assert redact_item(once, MINIMAL, KEYS).item == once


def test_a_failing_detector_leaves_nothing(monkeypatch):
    """Where a field cannot be looked at, it is emptied, and the item says so."""

    def broken(*_args, **_kwargs):
        raise MemoryError

    item = _item(note="ann@example.com", input=_content(RAW))
    assert redact_item(item, MINIMAL, KEYS).item["attributes"]["note"] == "[email]"
    monkeypatch.setattr(Scanner, "find", broken)
    monkeypatch.setattr(Scanner, "suspects", broken)
    done = redact_item(item, MINIMAL, KEYS)

    assert done.item["attributes"]["note"] is None
    assert ("attributes.note", "failed", "drop") in {(r.path, r.type, r.action) for r in done.redactions}
    assert redact_text("ann@example.com", MINIMAL.scanner) == ("[unsearched]", [])


def test_marks_do_not_make_texts_too_long():
    """A text at the bound of the record model stays within it, though marks are longer than what they replace."""
    text = ("a@b.co " * 2000)[: values.MAX_TEXT]
    kept = redact_item(_item(note=text), MINIMAL, KEYS).item["attributes"]["note"]

    assert len(kept) <= values.MAX_TEXT
    assert "@" not in kept


def test_what_is_remembered_as_clean_hangs_on_its_place():
    """Digits under a name that says nothing stay, however often; under a name that says telephone they go."""
    policy = FieldPolicy.from_mapping({})
    item = _item(extra={"mail": "ann@example.com", "ticket": "0446681800", "phone": {"number": "0446681800"}})

    first, again = (redact_item(item, policy, KEYS).item["attributes"]["extra"] for _ in range(2))

    assert first == again == {"mail": "[email]", "ticket": "0446681800", "phone": {"number": "[phone]"}}
    assert (("extra", "ticket"), "0446681800") in policy.clean


def test_memory_of_clean_texts_is_bounded(monkeypatch):
    """Ever new texts do not fill memory, and long ones are not remembered."""
    monkeypatch.setattr(values, "MAX_CLEAN", 3)
    policy = FieldPolicy.from_mapping({})
    notes = {f"a{number}": f"text {number}" for number in range(9)} | {"long": "x " * 100, "mail": "ann@example.com"}

    redact_item(_item(extra=notes), policy, KEYS)

    assert 0 < len(policy.clean) <= 3
    assert all(len(text) <= values.MAX_REMEMBERED for _, text in policy.clean)


def test_names_of_empty_members_are_looked_at():
    """A person's address as the name of a member without a value does not stay."""
    done = redact_item(_item(extra={"ann@example.com": None}), MINIMAL, KEYS)

    assert done.item["attributes"]["extra"] == {"[email]": None}
