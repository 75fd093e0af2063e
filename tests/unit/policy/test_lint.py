"""The linter names what loads and does not mean what it seems to."""

import pytest

from sealgate.policy.lint import lint

PERMIT = 'permit(principal == Agent::"a1", action == Action::"{}", resource)'


def _checks(point, text, **members):
    findings = lint(point(policies=[{"id": "x", "text": text}], **members))
    return {finding.check for finding in findings}


GOOD = '@id("x") ' + PERMIT.format("send_money") + ' when { context.input.amount.lessThan(decimal("9.0")) };'

CASES = [
    ("unanchored-pattern", PERMIT.format("read_file") + ' when { context.normalized.path.path like "*data*" };'),
    ("open-ended-prefix", PERMIT.format("read_file") + ' when { context.normalized.path.path like "/data*" };'),
    ("raw-place", PERMIT.format("read_file") + ' when { context.input.path like "/data/*" };'),
    ("never-matches", PERMIT.format("count") + " when { context.input.n < 1 && context.input.n > 3 };"),
    ("never-matches", PERMIT.format("count") + " when { context.input.n == 1 && context.input.n == 2 };"),
    ("never-matches", PERMIT.format("count") + " when { 1 == 2 };"),
    ("never-matches", PERMIT.format("count") + " unless { true };"),
    (
        "never-matches",
        PERMIT.format("read_file")
        + ' when { context.normalized.path.path == "/a" && context.normalized.path.path like "/b/*" };',
    ),
    ("unreachable", PERMIT.format("wire") + ';forbid(principal, action == Action::"wire", resource);'),
    ("unreachable", PERMIT.format("wire") + ";forbid(principal, action, resource);"),
    ("irreversible-unbounded", PERMIT.format("send_money") + ";"),
    ("irreversible-unbounded", PERMIT.format("send_money") + " when { context.input has subject };"),
    ("irreversible-unbounded", 'permit(principal == Agent::"a1", action in Action::"call_tool", resource);'),
    ("broad-permit", "permit(principal, action, resource);"),
    ("broad-permit", 'permit(principal, action, resource == McpServer::"bank");'),
    ("missing-id", PERMIT.format("wire") + ";"),
]


@pytest.mark.parametrize(("check", "text"), CASES)
def test_finding(point, check, text):
    """Each check finds its case, and nothing in a good policy (positive control)."""
    assert _checks(point, GOOD) == set()

    assert check in _checks(point, text)


def test_a_limit_bounds_an_irreversible_action(point):
    """A bound on an argument, a sum, or a number of calls in the limits is a bound."""
    text = '@id("x") ' + PERMIT.format("send_money") + ";"
    limit = {"id": "l", "action": "send_money", "argument": "amount", "max": 5}

    calls = {"id": "l", "action": ["send_money"], "max": 5, "per": "day"}
    elsewhere = {"id": "l", "action": "wire", "max": 5, "per": "day"}

    assert _checks(point, text) == {"irreversible-unbounded"}
    assert _checks(point, text, limits=[elsewhere]) == {"irreversible-unbounded"}
    assert _checks(point, text, limits=[limit]) == set()
    assert _checks(point, text, limits=[calls]) == set()
    assert _checks(point, text, limits=[{"id": "all", "max": 5, "per": "task"}]) == set()


def test_annotations_of_the_tool_decide(point):
    """A destructive hint counts whatever the name; a read-only hint too."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    text = '@id("x") ' + PERMIT.format("tool") + ";"

    def checks(name, hint):
        tool = {"name": name, "inputSchema": schema, "annotations": hint}
        changed = text.replace("tool", name)
        return _checks(point, changed, tools=[{"server": "s", "tools": [tool]}])

    assert checks("tool", {}) == set()
    assert checks("tool", {"destructiveHint": True}) == {"irreversible-unbounded"}
    assert checks("send", {}) == {"irreversible-unbounded"}
    assert checks("send", {"readOnlyHint": True}) == set()


@pytest.mark.parametrize(
    ("name", "risky"),
    [
        ("search_contacts_by_email", False),
        ("getOrderStatus", False),
        ("list_shared_files", False),
        ("resend", False),
        ("find_and_delete", True),
        ("email_contact", True),
        ("sendMoney", True),
    ],
)
def test_what_a_name_says(name, risky):
    """A name that begins with a reading verb reads, unless it goes on with `and`; a word counts only as a whole."""
    from sealgate.policy import risk, tools

    tool = tools.read_tool({"name": name, "inputSchema": {"type": "object", "properties": {}}}, "s")

    assert bool(risk.risk_of(tool)) == risky


def test_findings_name_the_place(point):
    """A finding says which policy, in which file and line, and what to do."""
    text = "\n\n" + PERMIT.format("send_money") + ";"

    finding = next(item for item in lint(point(policies=[{"id": "f", "text": text}])) if item.severity == "error")

    assert (finding.source, finding.line, finding.policy) == ("f", 3, "f#0")
    assert finding.hint
