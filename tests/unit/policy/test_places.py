"""Places wherever they stand among the arguments: which are found, what is offered, and rules that hold on them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealgate.model.errors import InputError
from sealgate.policy import places
from sealgate.policy.lint import lint

TEXT = {"type": "string"}
SCHEMA = {
    "type": "object",
    "$defs": {
        "Target": {"type": "object", "properties": {"host": TEXT}},
    },
    "properties": {
        "path": TEXT,
        "maybe_path": {"anyOf": [TEXT, {"type": "null"}]},
        "file_or_files": {"anyOf": [TEXT, {"type": "array", "items": TEXT}]},
        "options": {
            "type": "object",
            "properties": {"path": TEXT, "note": TEXT, "place": {"type": "string", "x-sealgate-place": "url"}},
            "required": ["path"],
        },
        "paths": {"type": "array", "items": TEXT},
        "links": {"type": "array", "items": {"type": "string", "format": "uri"}},
        "edits": {"type": "array", "items": {"type": "object", "properties": {"file": TEXT}, "required": ["file"]}},
        "target": {"$ref": "#/$defs/Target"},
        "kind_of_file": {"type": "string", "enum": ["a", "b"]},
        "source": {"type": "string", "format": "date"},
        "plain_path": {"type": "string", "x-sealgate-place": False},
        "folders": {"type": "object", "additionalProperties": TEXT},
    },
    "required": ["path", "paths", "options"],
}


def test_which_are_found():
    """Names, kinds, and whether one or many, always or perhaps; choices, times and free keys are no places."""
    found = places.find(SCHEMA, "t")

    assert {name: (item.kind, item.many, item.required) for name, item in found.items()} == {
        "path": ("path", False, True),
        "maybe_path": ("path", False, False),
        "file_or_files": ("path", True, False),
        "options.path": ("path", False, True),
        "options.place": ("url", False, False),
        "paths": ("path", True, True),
        "links": ("url", True, False),
        "edits.file": ("path", True, False),
        "target.host": ("host", False, False),
    }


def test_two_ways_with_one_name_are_refused():
    """A rule could not tell which of them it judges."""
    nested = {"type": "object", "properties": {"path": TEXT}}
    places.find({"properties": {"a": nested, "b.path": TEXT}}, "t")
    with pytest.raises(InputError, match=r"a\.path"):
        places.find({"properties": {"a": nested, "a.path": TEXT}}, "t")


def test_a_definition_that_names_itself_ends():
    """So many levels are offered and no more."""
    found = places.find({"$defs": {"D": {"properties": {"file": TEXT, "d": {"$ref": "#/$defs/D"}}}},
                         "properties": {"d": {"$ref": "#/$defs/D"}}}, "t")  # fmt: skip

    assert list(found) == ["d.file", "d.d.file", "d.d.d.file", "d.d.d.d.file"]


def test_a_schema_that_unfolds_without_end_is_searched_within_bounds():
    """Definitions that name each other many times cost no more than the budget."""
    level = {f"D{n}": {"properties": {f"p{m}": {"$ref": f"#/$defs/D{n + 1}"} for m in range(50)}} for n in range(8)}

    assert places.find({"$defs": {**level, "D8": {}}, "properties": {"a": {"$ref": "#/$defs/D0"}}}, "t") == {}


@pytest.mark.parametrize(
    ("texts", "under"),
    [
        (["/data/a/x", "/data/b"], ["/", "/data"]),
        (["/data/a/x", "/data/../etc/passwd"], ["/"]),
        (["/data"], ["/"]),
        (["a/b/c", "./a/d"], [".", "a"]),
        (["C:/x/y", "c:/x/z/w"], ["c:/", "c:/x"]),
        (["/a/b", "a/b"], []),
        ([], []),
    ],
)
def test_what_all_lie_under(texts, under):
    """The directories above every one of them, itself not included."""
    offered, problem = places.Argument(("paths",), "path", many=True).offered({"paths": texts})

    assert (offered["ok"], problem, offered["under"]) == (True, "", under)


def test_links_have_hosts_and_places_above():
    """The host is part of what a link lies under."""
    offered, _ = places.Argument(("u",), "url", many=True).offered(
        {"u": ["https://good.example/a/b", "https://GOOD.example:443/a/c?q=/x"]}
    )

    assert offered == {
        "ok": True,
        "texts": ["https://good.example/a/b", "https://good.example/a/c?q=/x"],
        "hosts": ["good.example"],
        "under": ["https://good.example/", "https://good.example/a"],
    }


def test_one_unclear_place_makes_all_unclear():
    """Nothing of a list is offered of which one could be understood in two ways."""
    offered, problem = places.Argument(("paths",), "path", many=True).offered({"paths": ["/data/a", "/data/%2e%2e/b"]})

    assert offered == {"ok": False, "texts": [], "hosts": [], "under": []}
    assert problem


@given(st.lists(st.lists(st.sampled_from(["..", ".", "", "a", "b", "data"]), max_size=6), min_size=1, max_size=4))
def test_under_says_what_a_walk_finds(paths):
    """``under.contains("/data")`` holds exactly where every path, walked, ends below ``/data``."""
    texts = ["/" + "/".join(segments) for segments in paths]

    def walked(text):
        stack: list[str] = []
        for segment in text.split("/"):
            if segment == "..":
                del stack[-1:]
            elif segment not in ("", "."):
                stack.append(segment)
        return stack

    offered, _ = places.Argument(("paths",), "path", many=True).offered({"paths": texts})

    assert ("/data" in offered["under"]) == all(walked(t)[:1] == ["data"] and len(walked(t)) > 1 for t in texts)


PERMIT = 'permit(principal == Agent::"a1", action == Action::"edit", resource)'
TOOL = {"name": "edit", "inputSchema": SCHEMA}
NESTED = PERMIT + ' when { context.normalized["options.path"].path like "/data/*" };'
LISTED = PERMIT + ' when { context.normalized.paths.under.contains("/data") };'


GIVEN = {"path": "/p", "paths": ["/data/x"], "options": {"path": "/data/x"}}


@pytest.mark.parametrize(
    ("policy", "changed", "outcome"),
    [
        (NESTED, {}, "PERMIT"),
        (NESTED, {"options": {"path": "/data/../etc/passwd"}}, "SILENCE"),
        (NESTED, {"options": {"path": "/data/%2e%2e/etc"}}, "SILENCE"),
        (LISTED, {}, "PERMIT"),
        (LISTED, {"paths": ["/data/x", "/data/y/z"]}, "PERMIT"),
        (LISTED, {"paths": ["/data/x", "/data/../etc/passwd"]}, "SILENCE"),
        (LISTED, {"paths": ["/data/x", "/database/x"]}, "SILENCE"),
        (LISTED, {"paths": []}, "SILENCE"),
        (LISTED, {"paths": ["/data/x", "/data/%2e%2e/x"]}, "SILENCE"),
    ],
)
def test_prefix_rules_hold_inside_objects_and_lists(point, ask, policy, changed, outcome):
    """What is under ``/data`` is permitted; every way around it is not."""
    decision_point = point(policies=[{"id": "x", "text": policy}], tools=[{"server": "bank", "tools": [TOOL]}])

    assert decision_point.decide(ask("edit", {**GIVEN, **changed})).outcome.value == outcome


def test_all_of_them_can_be_judged_at_once(point, ask):
    """The generated schema and what is offered agree for every place: a policy that reads the whole context works."""
    reads = " && ".join(
        f'(if context.normalized has "{name}" then context.normalized["{name}"].ok else true)'
        for name in places.find(SCHEMA, "t")
    )
    decision_point = point(
        policies=[{"id": "x", "text": f"{PERMIT} when {{ {reads} }};"}], tools=[{"server": "bank", "tools": [TOOL]}]
    )
    whole = {
        **GIVEN, "maybe_path": None, "file_or_files": "a", "links": ["https://a.example"], "target": {"host": "b"},
        "edits": [{"file": "a"}], "source": "2026-01-01", "kind_of_file": "a", "plain_path": "%", "folders": {"a": "b"},
    }  # fmt: skip

    for arguments in (GIVEN, whole, {**whole, "edits": [], "links": [], "file_or_files": ["a", "b"]}):
        verdict = decision_point.decide(ask("edit", arguments))
        assert verdict.outcome.value == "PERMIT", verdict
    assert decision_point.decide(ask("edit", {**GIVEN, "edits": [{"file": "a%41"}]})).outcome.value == "SILENCE"


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ('context.input.options.path like "/data/*"', 'context.normalized["options.path"]'),
        (
            (
                "context.input has maybe_path && context.input.maybe_path has typeChoice0 "
                '&& context.input.maybe_path.typeChoice0 like "/d/*"'
            ),
            "maybe_path",
        ),
        (
            (
                'context.input has folders && context.input.folders.hasTag("a") '
                '&& context.input.folders.getTag("a") like "/data/*"'
            ),
            "free keys",
        ),
    ],
)
def test_a_prefix_rule_on_what_was_sent_is_named(point, condition, hint):
    """The linter names the raw text, wherever it stands, and says what to use; nothing where the rule is right."""

    def named(text):
        decision_point = point(policies=[{"id": "x", "text": text}], tools=[{"server": "bank", "tools": [TOOL]}])
        return [finding for finding in lint(decision_point) if finding.check == "raw-place"]

    assert named(NESTED) == named(LISTED) == []
    (finding,) = named(f"{PERMIT} when {{ {condition} }};")
    assert hint in finding.hint
