"""What retention plans, for any classes, holds and times: compared with the rules said in another way."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sealgate.authority.archiving import encode_indexes
from sealgate.authority.retention_survey import decode_indexes
from sealgate.retention import plan as planning
from sealgate.retention.classes import Classes, Facts, Rule
from sealgate.retention.holds import Entry, Hold, Selection, Stage
from sealgate.retention.plan import WINDOW, Action
from sealgate.retention.terms import DAY_MS, Terms, combine
from sealgate.verifier.completeness import expired_ranges

DAYS = st.integers(0, 400)
TERMS = st.builds(Terms, DAYS, st.none() | DAYS, st.none() | DAYS)
NAMES = st.sampled_from(["a", "b", "c", "unknown", "a+b", "b+c", "a+unknown", "ledger"])
ENTRIES = st.lists(
    st.tuples(st.integers(0, 500 * DAY_MS), NAMES, st.booleans(), st.booleans(), st.sampled_from(["t1", "t2", "t3"])),
    max_size=40,
)
NOW = 500 * DAY_MS


@given(st.lists(TERMS, max_size=5))
def test_longest_minimum_and_shortest_maximum(terms):
    """Combined terms obey every maximum, keep every minimum by body or statement, and never the statement first."""
    together = combine(terms)
    for item in terms:
        assert item.maximum is None or (together.body is not None and together.body <= item.maximum)
        assert together.statement is None or together.statement >= item.minimum
    if together.statement is not None:
        assert together.body is not None
        assert together.statement >= together.body
    assert together == combine(reversed(terms))
    if together.split:
        assert max(item.minimum for item in terms) > together.body


def _entries(rows):
    return [
        Entry(index * 3, at, name, body, statement, tasks=frozenset({task}))
        for index, (at, name, body, statement, task) in enumerate(rows)
    ]


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from("abc"), TERMS), ENTRIES, st.booleans())
def test_exactly_what_is_due_is_planned(rules, rows, held):
    """Each record's fate follows from its own age, class and holds alone; what is unknown or held stays."""
    classes = Classes([Rule(name, terms) for name, terms in rules.items()])
    hold = Hold("h", Selection(tasks=("t1",)), "why", Stage.RELEASE_REQUESTED if held else Stage.RELEASED, "anna")
    entries = _entries(rows)
    plan = planning.make(entries, classes, [hold], NOW)
    for entry in entries:
        parts = entry.retention_class.split("+")
        known = all(part in rules for part in parts) and entry.retention_class != "ledger"
        ends = [rules[part].maximum for part in parts if known and rules[part].maximum is not None]
        body_due = entry.body and bool(ends) and (NOW - entry.time_ms) >= min(ends) * DAY_MS
        verdict = plan.actions.get(entry.index)
        action = verdict.action if verdict else Action.KEEP
        if held and "t1" in entry.tasks:
            assert action in {Action.KEEP, Action.HOLD}
        elif body_due:
            assert action in {Action.DROP_BODY, Action.DROP_STATEMENT}
        elif not known or not entry.statement:
            assert action is Action.KEEP
    assert planning.make(entries, classes, [hold], NOW).expiries() == plan.expiries()
    dropped = {index for expiry in plan.expiries() if expiry.layer == "body" for index in expiry.indexes}
    assert dropped == {
        entry.index
        for entry in entries
        if entry.body and entry.index in plan.actions and plan.actions[entry.index].action is not Action.HOLD
    }


@given(ENTRIES, st.dictionaries(st.sampled_from("abc"), TERMS))
def test_time_only_adds(rows, rules):
    """What is due now is due later as well."""
    classes, entries = Classes([Rule(name, terms) for name, terms in rules.items()]), _entries(rows)
    now = set(planning.make(entries, classes, [], NOW).actions)
    later = set(planning.make(entries, classes, [], NOW + 30 * DAY_MS).actions)
    assert now <= later


@given(st.sets(st.integers(0, WINDOW - 1), min_size=1, max_size=300), st.integers(0, 1 << 40))
def test_an_expiry_record_names_indexes_exactly(offsets, start):
    """What is written as a bitmap is read back alike, by us and by the verifier."""
    indexes = sorted(start + offset for offset in offsets)
    text = encode_indexes(indexes, indexes[0])
    record = {"from_index": indexes[0], "to_index": indexes[-1] + 1, "indexes": text}
    assert list(decode_indexes(text, indexes[0])) == indexes
    assert [index for first, end in expired_ranges(record) for index in range(first, end)] == indexes
    assert list(planning.ranges(indexes)) == expired_ranges(record)


@given(st.binary(max_size=60), st.integers(0, 100), st.integers(0, 100_000))
def test_a_malformed_expiry_record_excuses_nothing_it_does_not_name(data, start, length):
    """Any text in place of the bitmap gives ranges inside the record's own, or none."""
    record = {"from_index": start, "to_index": start + length, "indexes": data.decode("latin-1")}
    assert all(start <= first < end <= start + length for first, end in expired_ranges(record))


def test_a_class_is_the_names_of_all_rules_that_govern():
    """Conditions must all hold; the default is for what none governs; the ledger's own kinds are apart."""
    classes = Classes(
        [
            Rule("default", Terms(maximum=90)),
            Rule("personal", Terms(maximum=30), data=("personal",)),
            Rule("pci", Terms(minimum=366), regimes=("pci",), tools=("pay*",)),
        ]
    )
    both = Facts("decision", data="personal", regime="pci", tool="pay_card")

    assert classes.classify(both) == "pci+personal"
    assert classes.effective("pci+personal").split
    assert classes.classify(Facts("decision", regime="pci", tool="read")) == "default"
    assert classes.classify(Facts("key.added", data="personal")) == "ledger"
    assert classes.effective("ledger").body is None
    assert classes.effective("pci+gone").body is None
    assert not classes.knows("pci+gone")
