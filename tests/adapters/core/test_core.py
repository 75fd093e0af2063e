"""The gate of all adapters, against a real authority."""

import asyncio
import threading

import pytest

from sealgate.integrations.core import Gate

PAY = ("test", "pay", {"to": "bob", "amount": 5})


def test_a_permit_has_a_ticket_and_the_judged_arguments(world):
    """What is permitted may run with a copy of what was asked."""
    gate, arguments = world.gate(), {"to": "bob", "amount": 5}
    verdict = gate.check("test", "pay", arguments)
    arguments["amount"] = 5000
    assert verdict.permitted
    assert verdict.arguments == {"to": "bob", "amount": 5}
    gate.done(verdict, "paid")


def test_a_refusal_is_an_answer(world):
    """A forbidden call gives a text with the rule; the same call of somebody else is permitted."""
    gate = world.gate()
    verdict = gate.check("test", "pay", {"to": "mallory", "amount": 5})
    assert (verdict.effect, verdict.ticket) == ("deny", None)
    assert "never-mallory" in verdict.reason
    assert gate.check(*PAY).permitted


def test_no_authority_is_a_refusal(world):
    """A gate that nobody answers refuses, sync and async."""
    gate = world.gate_down()
    assert gate.check(*PAY).effect == "deny"
    assert asyncio.run(gate.acheck(*PAY)).effect == "deny"
    assert asyncio.run(world.gate().acheck(*PAY)).permitted


def test_no_agent_is_a_refusal(monkeypatch):
    """A gate that does not even know who asks refuses and does not raise."""
    monkeypatch.delenv("SEALGATE_AGENT", raising=False)
    assert Gate().check(*PAY).effect == "deny"


@pytest.mark.parametrize("value", [object(), b"x", float("nan"), {1: 2}, "\ud800"])
def test_arguments_without_json_form_are_refused(world, value):
    """What cannot be judged exactly does not run."""
    assert world.gate().check("test", "pay", {"to": value, "amount": 5}).effect == "deny"


def test_duties_narrow_arguments(world):
    """A cap lowers, a redaction replaces; what is below the cap stays."""
    gate = world.gate()
    assert gate.check("test", "tip", {"to": "bob", "amount": 80}).arguments["amount"] == 50
    assert gate.check("test", "tip", {"to": "bob", "amount": 8}).arguments["amount"] == 8
    assert gate.check("test", "note", {"text": "a", "card": "4111"}).arguments["card"] == "[redacted]"


def test_a_duty_that_nobody_can_do_refuses(world):
    """A permit with a duty that raises does not run."""

    def broken(obligation, arguments):
        raise ValueError(obligation.id)

    gate = world.gate(narrow={"cap": broken})
    assert gate.check("test", "tip", {"to": "bob", "amount": 80}).effect == "deny"


def test_approval_is_asked_for(world):
    """What needs a person is an `ask`, and does not run."""
    verdict = world.gate().check("test", "wire", {"to": "bank", "amount": 5})
    assert (verdict.effect, verdict.code) == ("ask", "approval_required")


def test_a_kept_permit_is_taken_once(world):
    """Of many that ask at once for a kept permit, one gets it; other arguments never do."""
    gate = world.gate()
    verdict = gate.check(*PAY, call_id="c1")
    gate.keep(verdict, "s1")
    assert gate.take("pay", "c1", {"to": "bob", "amount": 6}, "s1") is None
    assert gate.take("pay", "c1", PAY[2], "s2") is None
    taken = []
    threads = [threading.Thread(target=lambda: taken.append(gate.take("pay", "c1", PAY[2], "s1"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found for found in taken if found is not None] == [verdict]


def test_a_ticket_is_claimed_once_and_for_its_call(world):
    """A backstop below a permitted body finds the ticket once, and only for the same arguments."""
    from sealgate.integrations.question import arguments_digest
    from sealgate.integrations.verdicts import claim_running

    digest = arguments_digest(PAY[2])
    verdict = world.gate().check(*PAY)
    assert not claim_running("pay", digest)
    with verdict.body():
        assert not claim_running("pay", arguments_digest({"to": "bob", "amount": 6}))
        assert claim_running("pay", digest)
        assert not claim_running("pay", digest)


def test_every_permit_has_an_outcome(world):
    """Done, failed and never run: each permitted call is reported, once, as the authority counts them."""
    gate = world.gate()

    def outcomes():
        return world.authority.metric("sealgate_records_total")

    verdict = gate.check(*PAY)
    before = outcomes()
    gate.done(verdict, "paid")
    gate.failed(verdict, ValueError("late"))
    assert outcomes() == before + 1
    failed = gate.check(*PAY)
    gate.failed(failed, ValueError("no"))
    assert outcomes() == before + 3


def test_the_agent_of_a_name_in_the_framework(world):
    """A sub-agent that is listed acts under its own name; others act as the client's agent."""
    gate = world.gate(agents={"child": "helper-child"})
    verdict = gate.check(*PAY, agent="child")
    assert verdict.ticket.grant.span.agent == "helper-child"
    assert gate.check(*PAY, agent="stranger").ticket.grant.span.agent is None


def test_reasoning_is_recorded_as_a_claim(world):
    """What the model said before a call becomes an item of its own, in the spool until a collector takes it."""
    gate = world.gate()
    verdict = gate.check(*PAY, rationale="the rent is due", session="s-1")
    assert verdict.permitted
    assert len(list(gate._core_of().settings.spool_folder.rglob("*"))) >= 1
