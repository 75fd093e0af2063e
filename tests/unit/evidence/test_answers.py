"""Pure parts of the evidence service: filters, the tree, explanations, the page of fields."""

import importlib.util
from pathlib import Path

import pytest

from sealgate.evidence import columns, explaining, filters, projection, reference, tracing
from sealgate.evidence.answers import Filter
from sealgate.model.decisions import REASONS_OF, Outcome
from sealgate.model.errors import InputError
from sealgate.ports.evidence import Part

_ROWS = Path(__file__).parents[1] / "adapters" / "evidence" / "rows.py"
_SPEC = importlib.util.spec_from_file_location("evidence_rows", _ROWS)
made = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(made)


def test_the_page_of_fields_is_what_the_tables_say():
    """The committed page is what its generator writes."""
    path = Path(__file__).parents[3] / "docs" / "reference" / "evidence.md"
    assert path.read_text("utf-8") == reference.page()


def test_times_are_read_strictly():
    """RFC 3339 with a zone becomes UTC; without one, or anything else, it is refused."""
    assert filters.timestamp("2026-03-01T02:00:00+02:00") == "2026-03-01 00:00:00"
    assert filters.timestamp("2026-03-01T02:00:00Z") == "2026-03-01 02:00:00"
    for text in ("2026-03-01T02:00:00", "yesterday", "", "2026-13-01T00:00:00Z"):
        with pytest.raises(InputError):
            filters.timestamp(text)


def test_what_a_caller_sends_is_never_sql():
    """Values travel as parameters; a value that is too long is refused."""
    hostile = "' OR 1=1 --"
    where, values = filters.condition(Filter(agent=hostile, text=hostile, policy=hostile, kind=hostile))
    assert hostile not in where
    assert values.count(hostile) == 4
    with pytest.raises(InputError, match="characters"):
        filters.condition(Filter(agent="a" * 1000))


def test_a_range_of_the_log_narrows_rows_and_parts():
    """Parts that cannot hold any of it are not opened; ``to_index`` is exclusive."""
    parts = [Part("a", 0, 9), Part("b", 10, 19), Part("c", None, None), Part("d", 20, None)]
    where, values = filters.condition(Filter(from_index=10, to_index=20))

    def names(**wanted):
        return "".join(part.relation for part in filters.parts_within(parts, Filter(**wanted)))

    assert (where, values) == ("true AND journal_index >= ? AND journal_index < ?", [10, 20])
    assert names() == "abd"
    assert names(from_index=10, to_index=20) == "b"
    assert names(from_index=9, to_index=11) == "ab"
    assert names(from_index=500) == "d"


def test_every_reason_of_silence_says_what_would_have_to_change():
    """No reason of SILENCE falls back to the words for a DENY."""
    assert {reason.value for reason in REASONS_OF[Outcome.SILENCE]} - {"policy"} <= set(explaining._CHANGES)


def test_spans_that_name_each_other_make_a_finite_tree():
    """Hostile parents in a circle still make a tree in which each row stands once."""
    items = [
        made.item(1, trace_id="ab" * 16, span_id="01" * 8, parent_span_id="02" * 8),
        made.item(2, trace_id="ab" * 16, span_id="02" * 8, parent_span_id="01" * 8),
        made.item(3, trace_id="ab" * 16, span_id="03" * 8, parent_span_id="03" * 8),
    ]
    rows = [_stored(row) for row in projection.rows(made.batch(0, items), 0, None)]
    roots = tracing.tree(rows, lambda _index: "included")
    seen, stack = [], list(roots)
    while stack:
        node = stack.pop()
        seen.append(node.item_id)
        stack += node.children
    assert sorted(seen) == [made.record_id(number) for number in (1, 2, 3)]


def _stored(row):
    """A row as the store gives it back: its time is a time."""
    from datetime import datetime

    at = columns.NUMBER_OF["time"]
    return (*row[:at], datetime.fromisoformat(row[at]), *row[at + 1 :])


def test_digests_and_salts_stay_in_the_body():
    """A row has no digest of its body's content; sizes and words it has."""
    content = {"digest": "c2VjcmV0", "size_bytes": 7}
    item = made.item(
        1, kind="model.call", salt="c2FsdA", attributes={"model": "m", "input": content, "output": content}
    )
    row = projection.rows(made.batch(0, [item]), 0, None)[0]
    assert "c2VjcmV0" not in str(row)
    assert "c2FsdA" not in str(row)
    assert row[columns.NUMBER_OF["input_size"]] == 7
    assert row[columns.NUMBER_OF["model"]] == "m"
