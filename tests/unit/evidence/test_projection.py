"""Rows of records: what has a column goes there, what says nothing goes away, all else stays by its name."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from sealgate.evidence import projection
from sealgate.evidence.columns import NAMES

NEVER = ("digest", "input_digest", "output_digest", "salt", "root_signature", "definition_sha256")
names = st.sampled_from(["x-a", "x-b", "x-c", *NEVER])
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 2), st.just(0.0), st.sampled_from(["", "t"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=12,
)


def plain(value):
    """The rule, said once and slowly: no digests, no salts, no members that say nothing."""
    if isinstance(value, dict):
        kept = {name: inner for name, inner in value.items() if name not in NEVER}
        return {name: plain(inner) for name, inner in kept.items() if not nothing(inner)}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def nothing(value):
    """Whether a value says nothing; false, zero and the empty text do say something."""
    return value is None or (isinstance(value, (list, dict)) and not value)


def row(**members):
    """The row of a record by itself, by column name."""
    body = {
        "kind": "a.kind.of.later",
        "record_id": "01a22abb-e7e1-7929-a65a-7d398946e1dd",
        "time": "2026-09-21T15:00:00.000Z",
        "salt": "c2FsdA",
        "producer": {"epoch": "e", "seq": 1},
        **members,
    }
    (found,) = projection.rows(orjson.dumps(body), 7, bytes(16))
    return dict(zip(NAMES, found, strict=True))


@given(st.dictionaries(names, values, max_size=5))
def test_what_has_no_column_stays_without_digests_and_what_says_nothing(members):
    """Whatever a record holds besides: the same as by the slow rule, and its own members at the top never come back."""
    kept = {name: value for name, value in plain(members).items() if not nothing(value)}

    assert (orjson.loads(row(**members)["rest"] or "{}")) == kept


def test_a_record_by_itself_fills_its_columns():
    """Each common member has its column, a trace's parts have theirs, and none of them stays in the rest."""
    found = row(
        agent={"id": "a1", "principal": "p", "proof": "unix_peer", "on_behalf_of": ["boss"]},
        trace={"trace_id": "ab" * 16, "span_id": "00000000000000ff", "parent_span_id": None},
        task_id="task-1",
        request_id="r1",
        region="eu",
        environment="test",
        retention_class="default",
        more=1,
    )
    filled = {name: value for name, value in found.items() if value is not None}

    assert filled == {
        "journal_index": 7,
        "position": 0,
        "id": "01a22abb-e7e1-7929-a65a-7d398946e1dd",
        "record_id": "01a22abb-e7e1-7929-a65a-7d398946e1dd",
        "time": "2026-09-21T15:00:00.000",
        "kind": "a.kind.of.later",
        "agent": "a1",
        "principal": "p",
        "task_id": "task-1",
        "trace_id": "ab" * 16,
        "span_id": 255,
        "request_id": "r1",
        "coverage": "enforced",
        "source": "gate",
        "region": "eu",
        "environment": "test",
        "retention_class": "default",
        "key_id": "00" * 16,
        "rest": '{"agent_proof":"unix_peer","more":1,"on_behalf_of":["boss"]}',
    }
