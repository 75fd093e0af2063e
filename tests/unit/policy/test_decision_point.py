"""What the decision point answers, and that only a clean allow becomes PERMIT."""

import pytest

from sealgate.model.decisions import REASONS_OF, Outcome, Reason
from sealgate.model.errors import InputError
from sealgate.policy import DecisionPoint, LimitLedger, PolicyRequest
from sealgate.policy.bundle import encode

PAY = {"recipient": "GB29", "amount": 98.7}


def test_permit_carries_its_duties(point, ask):
    """An allow without errors is PERMIT, with the policy and its obligations."""
    verdict = point().decide(ask("send_money", PAY))

    assert (verdict.outcome, verdict.reason, verdict.policies) == (Outcome.PERMIT, Reason.POLICY, ("pay",))
    assert [duty.as_json() for duty in verdict.obligations] == [
        {"id": "redact", "params": {"target": "subject", "policy": "pay"}},
        {"id": "notify", "params": {"target": "treasury", "policy": "pay"}},
    ]


@pytest.mark.parametrize(
    ("tool", "arguments", "outcome", "reason"),
    [
        ("send_money", {"recipient": "BLOCKED", "amount": 1}, Outcome.DENY, Reason.POLICY),
        ("send_money", {"recipient": "GB29", "amount": 100.01}, Outcome.SILENCE, Reason.NO_POLICY),
        ("send_money", {"recipient": "GB29"}, Outcome.SILENCE, Reason.INVALID_ARGUMENTS),
        ("send_money", {**PAY, "extra": 1}, Outcome.SILENCE, Reason.INVALID_ARGUMENTS),
        ("send_money", {**PAY, "urgent": "yes"}, Outcome.SILENCE, Reason.INVALID_ARGUMENTS),
        ("send_money", {**PAY, "amount": float("nan")}, Outcome.SILENCE, Reason.INVALID_ARGUMENTS),
        ("send_money", {**PAY, "amount": 0.00001}, Outcome.SILENCE, Reason.INVALID_ARGUMENTS),
        ("send_money", {**PAY, "recipient": "\ud800"}, Outcome.SILENCE, Reason.INVALID_ARGUMENTS),
        ("no_such_tool", {}, Outcome.SILENCE, Reason.UNKNOWN_TOOL),
        ("wire", {}, Outcome.SILENCE, Reason.APPROVAL_REQUIRED),
        ("count", {"n": 1}, Outcome.SILENCE, Reason.POLICY_ERROR),
        ("count", {"n": 2**70}, Outcome.SILENCE, Reason.INVALID_ARGUMENTS),
        ("read_file", {"path": "/data/x"}, Outcome.PERMIT, Reason.POLICY),
        ("read_file", {"path": "/data/../etc/passwd"}, Outcome.SILENCE, Reason.NO_POLICY),
        ("read_file", {"path": "/data/%2e%2e/etc"}, Outcome.SILENCE, Reason.INVALID_ARGUMENTS),
    ],
)
def test_outcomes(point, ask, tool, arguments, outcome, reason):
    """Each way to an answer has its outcome and its reason."""
    verdict = point().decide(ask(tool, arguments))

    assert (verdict.outcome, verdict.reason) == (outcome, reason), verdict
    assert verdict.reason in REASONS_OF[verdict.outcome]
    assert verdict.message


def test_strangers_are_met_with_silence(point):
    """An agent in no role, an unknown agent type and an unknown resource type are not permitted anything."""
    decide = point().decide

    for principal, resource in [
        (("agent", "stranger"), ("tool_server", "bank")),
        (("alien", "a1"), ("tool_server", "bank")),
        (("agent", "a1"), ("planet", "bank")),
        (("agent", "a1"), ("tool_server", "other")),
        (("Role", "payer"), ("tool_server", "bank")),
    ]:
        verdict = decide(PolicyRequest(principal, "send_money", resource, PAY))
        assert (verdict.outcome, verdict.reason) == (Outcome.SILENCE, Reason.NO_POLICY)


def test_deadline(point, ask):
    """No time before or after the engine ran is SILENCE; with time the same request is permitted."""
    left = iter([1.0, 0.0])

    assert point().decide(ask("send_money", PAY), remaining=lambda: 0).reason is Reason.DEADLINE
    assert point().decide(ask("send_money", PAY), remaining=lambda: next(left)).reason is Reason.DEADLINE
    assert point().decide(ask("send_money", PAY), remaining=lambda: 1).outcome is Outcome.PERMIT


def test_facts_are_checked_against_the_schema(point, ask):
    """A policy may use session facts; facts of another type, or unknown ones, silence every decision."""
    text = (
        '@id("calm") permit(principal, action == Action::"wire", resource) '
        "when { context.session has tool_calls && context.session.tool_calls < 3 };"
    )
    decide = point(policies=[{"id": "x", "text": text}]).decide

    assert decide(ask("wire", facts={"session": {"tool_calls": 2}})).outcome is Outcome.PERMIT
    assert decide(ask("wire", facts={"session": {"tool_calls": 3}})).reason is Reason.NO_POLICY
    assert decide(ask("wire")).reason is Reason.NO_POLICY
    assert decide(ask("wire", facts={"session": {"tool_calls": "2"}})).reason is Reason.POLICY_ERROR
    assert decide(ask("wire", facts={"other": {}})).reason is Reason.INVALID_ARGUMENTS
    escape = {"session": {"tool_calls": {"__extn": {"fn": "decimal", "arg": "1.0"}}}}
    assert decide(ask("wire", facts=escape)).reason is Reason.INVALID_ARGUMENTS


def test_errors_do_not_repeat_values(point, ask):
    """What erred is named by policy and kind; the argument's value stays out of records and logs."""
    verdict = point().decide(ask("count", {"n": 424242}))

    assert verdict.errors == ("policy `overflow`: an integer overflows",)


def test_an_unclear_place_only_silences_who_relies_on_it(point, ask):
    """A policy that asks for `ok` decides itself; one that does not is not asked about what has no normal form."""
    text = (
        '@id("any") permit(principal, action == Action::"read_file", resource) when { true };'
        '@id("odd") forbid(principal, action == Action::"read_file", resource) '
        'when { context.normalized.path.ok && context.normalized.path.path like "/etc/*" };'
    )
    asked = point(policies=[{"id": "x", "text": text}]).decide
    relying = text.replace("context.normalized.path.ok && ", "")

    assert asked(ask("read_file", {"path": "../x"})).outcome is Outcome.PERMIT
    assert asked(ask("read_file", {"path": "/data/../etc/passwd"})).outcome is Outcome.DENY
    silent = point(policies=[{"id": "x", "text": relying}]).decide(ask("read_file", {"path": "../x"}))
    assert silent.reason is Reason.INVALID_ARGUMENTS


def test_limits_deny(point, ask):
    """A quota denies after what policies permit, and takes nothing where they do not."""
    limited = point(
        limits=[{"id": "two", "action": "send_money", "sum": "amount", "max": "150", "per": "day"}],
    )
    ledger = LimitLedger(limited.limits)

    def pay(arguments, number):
        return limited.decide_within(ask("send_money", arguments), ledger, reservation=str(number), now_ms=number)

    assert pay(PAY, 1).outcome is Outcome.PERMIT
    assert pay({"recipient": "BLOCKED", "amount": 1}, 2).reason is Reason.POLICY
    denied = pay(PAY, 3)
    assert (denied.outcome, denied.reason, denied.policies) == (Outcome.DENY, Reason.QUOTA_EXCEEDED, ("two",))
    assert pay({"recipient": "GB29", "amount": 51.3}, 4).outcome is Outcome.PERMIT


def test_version_is_the_digest_of_the_canonical_bytes(bundle):
    """One bundle has one version, however it is written; another bundle has another."""
    value = bundle()

    version = DecisionPoint.from_bundle(value).version

    assert DecisionPoint.from_bundle(encode(value)).version == version
    assert DecisionPoint.from_bundle(bundle(entities=[])).version != version


_ID = '@id("x") '


@pytest.mark.parametrize(
    "members",
    [
        {"format": "other"},
        {"surprise": 1},
        {"schema": "entity A {"},
        {"schema": "entity A;"},
        {"schema": 1},
        {"policies": [{"id": "x", "text": "permit(principal, action, resource)"}]},
        {"policies": [{"id": "x", "text": "allow(principal, action, resource);"}]},
        {"policies": [{"id": "x", "text": (_ID + "permit(principal, action, resource);") * 2}]},
        {"policies": [{"id": "x", "text": 'permit(principal, action == Action::"no_such", resource);'}]},
        {"policies": [{"id": "x", "text": 'permit(principal == Role::"x", action == Action::"wire", resource);'}]},
        {"policies": [{"id": "x", "text": "permit(principal == ?principal, action, resource);"}]},
        {"policies": [{"id": "x", "text": '@obligations("redact:x") permit(principal, action, resource);'}]},
        {"policies": [{"id": "x", "text": "permit(principal, action, resource) when {" + "(" * 900 + "1" + ")" * 900}]},
        {"policies": [{"text": "x"}]},
        {"tools": [{"server": "a", "tools": [{"name": "x"}]}, {"server": "b", "tools": [{"name": "x"}]}]},
        {"tools": [{"server": "a", "tools": [{"name": " x"}]}]},
        {"tools": [{"tools": []}]},
        {"entities": [{"uid": {"type": "Nobody", "id": "x"}, "attrs": {}, "parents": []}]},
        {"entities": [{"uid": {"type": "Agent", "id": "x"}, "attrs": {"x": 1}, "parents": []}]},
        {"entities": [{}]},
        {"entities": {}},
        {"limits": [{"id": "x"}]},
    ],
)
def test_what_does_not_load(bundle, members):
    """A bundle loads whole or not at all; the unchanged bundle loads (positive control)."""
    DecisionPoint.from_bundle(bundle())

    with pytest.raises(InputError):
        DecisionPoint.from_bundle(bundle(**members))


@pytest.mark.parametrize("data", [b"", b"{", b'{"format":"sealgate-policy/v1","format":1}', b"[" * 100, b"\xff"])
def test_malformed_bytes(data):
    """Bytes that are not strict JSON are our error."""
    with pytest.raises(InputError):
        DecisionPoint.from_bundle(data)


_STUB = """namespace AgentCore {
  @mcp_principal("OAuthUser") entity OAuthUser tags String;
  @mcp_resource("Gateway") entity Gateway;
}"""
_TEXT = {"type": "string"}
PUBLISHED = {
    "agentcore_command_execution": {"ShellTarget___execute": {"command": _TEXT}},
    "agentcore_hr_scope": {
        "hr-lambda-target___search_employee": {"query": _TEXT},
        "hr-lambda-target___get_employee_compensation": {"id": _TEXT},
    },
    "agentcore_payment_buyer_role": {
        "PaymentPolicyTools___authorize_payment": {
            **dict.fromkeys(("resourceUrl", "payTo", "network", "asset"), _TEXT),
            "amount": {"type": "integer"},
        }
    },
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_policies_load_unchanged(data_folder, name):
    """Agent policies that others published load as they are, and decide as they read."""
    text = (data_folder / "policies" / f"{name}.cedar").read_text(encoding="utf-8")
    tools = [
        {"name": tool, "inputSchema": {"type": "object", "properties": properties, "required": list(properties)}}
        for tool, properties in PUBLISHED[name].items()
    ]
    user = {"uid": {"type": "AgentCore::OAuthUser", "id": "u"}, "attrs": {}, "parents": []}
    tags = {"scope": "hr-dlp-gateway/read", "role": "payment-buyer"}
    point = DecisionPoint.from_bundle(
        {
            "format": "sealgate-policy/v1",
            "schema": _STUB,
            "policies": [{"id": name, "text": text}],
            "tools": [{"server": "gateway", "tools": tools}],
            "entities": [{**user, "tags": tags}],
        }
    )
    if name != "agentcore_command_execution":
        return
    arn = ("AgentCore::Gateway", "<gateway_arn>")
    outcomes = [
        point.decide(PolicyRequest(("OAuthUser", "u"), "ShellTarget___execute", arn, {"command": command})).outcome
        for command in ("npm test", "rm -rf /", "ls")
    ]
    assert outcomes == [Outcome.PERMIT, Outcome.DENY, Outcome.SILENCE]


@pytest.mark.parametrize(
    "scope", ["principal == ?principal, action, resource", "principal, action, resource in ?resource"]
)
def test_a_template_is_refused_and_the_same_with_its_entity_is_not(point, scope):
    """A bundle has no links, so a template would never permit: it says where it stands and what to write instead."""
    text = '@id("later") permit(' + scope + ");"
    with pytest.raises(InputError, match="bank, line 1: template `later` has no link"):
        point(policies=[{"id": "bank", "text": text}])

    text = text.replace("?principal", 'Agent::"a1"').replace("?resource", 'McpServer::"bank"')
    point(policies=[{"id": "bank", "text": text}])
