"""Items: what may be sent, what is kept, and that the published schema says the same."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import msgspec
import pytest

from sealgate.model import items, schema
from sealgate.model.errors import InputError
from sealgate.model.items import ATTRIBUTES, ITEM_MODEL
from sealgate.model.records import ITEM_KINDS

FILE = Path(__file__).resolve().parents[3] / "schema" / "item.json"

LEAST = {
    "event.logged": {"event_type": "x"},
    "tool.call": {"tool": {"name": "send"}},
    "coverage.declared": {"system": "crm", "state": "observed"},
}
"""Attributes without which an item of that kind says nothing."""


def item(kind="reasoning", **changed):
    """Return the smallest item of a kind."""
    return {
        "item_id": "018f0000-0000-7000-8000-000000000001",
        "kind": kind,
        "time": "2026-11-21T04:00:00.000Z",
        "agent": "a1",
        "coverage": "captured",
        "source": "sdk",
        "attributes": LEAST.get(kind, {}),
        **changed,
    }


def test_the_published_schema_is_the_generated_one():
    """`python -m sealgate.model.schema item > schema/item.json` changes nothing."""
    done = subprocess.run([sys.executable, "-m", "sealgate.model.schema", "item"], capture_output=True, check=True)

    assert done.stdout == FILE.read_bytes()


def test_every_kind_has_a_structure():
    """Kinds of items and structures are the same set, and the schema is one by its own dialect."""
    document = json.loads(FILE.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(document)

    assert set(ITEM_MODEL) == set(ATTRIBUTES) == {str(kind) for kind in ITEM_KINDS}
    assert {choice["properties"]["kind"]["const"] for choice in document["oneOf"]} == set(ITEM_MODEL)


@pytest.mark.parametrize("kind", sorted(ITEM_MODEL))
def test_the_least_item_is_kept_whole(kind):
    """What may be left out is kept as null or empty; what is kept fits the schema and is read as itself."""
    kept = items.as_object(items.read(item(kind)))

    assert [error.message for error in jsonschema.Draft202012Validator(schema.item_document()).iter_errors(kept)] == []
    assert set(kept["attributes"]) == {field.name for field in msgspec.structs.fields(ATTRIBUTES[kind])}
    assert items.as_object(items.read(json.dumps(kept).encode())) == kept


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "decision"},
        {"kind": "genesis"},
        {"item_id": "1"},
        {"time": "2026-11-21T04:00:00Z"},
        {"agent": ""},
        {"agent": None},
        {"coverage": "enforced"},
        {"trace_id": "A" * 32},
        {"duration_ms": -1},
        {"duration_ms": 1.5},
        {"producer": {"epoch": "0" * 32, "seq": -1}},
        {"attributes": {"name": 1}},
        {"attributes": {"nonsense": 1}},
        {"attributes": None},
        {"nonsense": 1},
    ],
)
def test_what_is_no_item_is_refused(changed):
    """Wrong kinds, identifiers, times, types and unknown members; the unchanged item is read."""
    assert items.read(item()).agent == "a1"

    with pytest.raises(InputError):
        items.read(item(**changed))


def test_bytes_that_are_not_json_are_refused():
    """Bytes are read as the object is, and broken ones are refused."""
    assert items.read(json.dumps(item()).encode()).agent == "a1"

    for broken in (b"", b"{", b"[]", b"[" * 100_000, b'"\xff"'):
        with pytest.raises(InputError):
            items.read(broken)


def test_attributes_are_filled_up():
    """Known members are kept, all others are there as null or empty; unknown ones are refused."""
    made = items.attributes(ATTRIBUTES["tool.call"], tool={"name": "send"}, call_id="c1")

    assert made["call_id"] == "c1"
    assert made["tool"]["version"] is made["input"] is None
    with pytest.raises(InputError):
        items.attributes(ATTRIBUTES["tool.call"], tool={"name": "send"}, nonsense=1)
