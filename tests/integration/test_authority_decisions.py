"""Decisions through a real authority: outcomes, permits, outcomes of actions, idempotency."""

import asyncio
import hashlib
from dataclasses import replace

import msgspec
import pytest

from sealgate.encoding import canonical
from sealgate.model.decisions import REASONS_OF
from sealgate.model.errors import InputError, NotPermittedError
from sealgate.model.evaluation import CaptureRequest, Failure, Identity, OutcomeRequest, RedeemRequest
from sealgate.model.records import MODEL

from .conftest import CALLER, LIMITS, PATIENT, bundle, question

ARGUMENTS = hashlib.sha256(canonical.encode_arguments({"to": "bob", "amount": 5})).hexdigest()


def run(scenario):
    """Run one scenario in a fresh loop."""
    return asyncio.run(scenario)


def redemption(answer, **changes):
    """What an executor sends to redeem the answer's permit."""
    values = {"permit": answer.context.permit.token, "tool": "pay", "arguments_sha256": ARGUMENTS}
    return RedeemRequest(**{**values, **changes})


@pytest.mark.parametrize(
    ("asked", "outcome", "reason"),
    [
        ({}, "PERMIT", "policy"),
        ({"to": "mallory", "amount": 5}, "DENY", "policy"),
        ({"to": "bob", "amount": 101}, "SILENCE", "no_policy"),
        ({"tool": "read", "path": "/x"}, "SILENCE", "no_policy"),
        ({"tool": "unknown"}, "SILENCE", "unknown_tool"),
        ({"to": "bob"}, "SILENCE", "invalid_arguments"),
        ({"to": "bob", "amount": 5, "extra": 1}, "SILENCE", "invalid_arguments"),
        ({"agent": "a2", "to": "bob", "amount": 5}, "SILENCE", "policy_error"),
        ({"agent": "a2", "to": "mallory", "amount": 5}, "DENY", "policy"),
    ],
)
def test_outcomes(kit, asked, outcome, reason):
    """Each outcome is answered with its reason, recorded, and has a permit only when it is PERMIT."""

    async def scenario():
        authority = await kit.started()
        answer = await authority.evaluate(question(**asked), CALLER, None)
        body = kit.bodies()[-1]
        await authority.stop()
        return answer, body

    answer, body = run(scenario())

    assert (answer.context.outcome, answer.context.reason) == (outcome, reason)
    assert answer.decision is (outcome == "PERMIT")
    assert (answer.context.permit is not None) is (outcome == "PERMIT")
    assert reason in REASONS_OF[outcome]
    assert body["kind"] == "decision"
    assert body["decision"]["outcome"] == outcome
    assert answer.context.receipt.index == body["producer"]["seq"]


def test_no_policy_set_is_silence(kit):
    """Without a published policy set nothing is permitted, and that is recorded."""

    async def scenario():
        authority = await kit.started(policies=None)
        answer = await authority.evaluate(question(), CALLER, None)
        await authority.stop()
        return answer

    answer = run(scenario())

    assert answer.context.reason == "no_policy"
    assert answer.context.receipt is not None


def test_strangers_get_an_error_and_no_decision(kit):
    """A caller that may not speak for the subject is refused before anything is decided."""
    stranger = Identity(principal="s", proof="unix_peer", agents=frozenset({"other"}))

    async def scenario():
        authority = await kit.started()
        before = kit.journal.size
        with pytest.raises(NotPermittedError) as caught:
            await authority.evaluate(question(), stranger, None)
        after = kit.journal.size
        await authority.stop()
        return caught.value.code, before == after

    assert run(scenario()) == ("subject-not-allowed", True)


def test_a_permit_is_redeemed_once_and_its_outcome_reported_once(kit):
    """Decision, redemption and outcome are three records; each step works once."""

    async def scenario():
        authority = await kit.started()
        answer = await authority.evaluate(question(), CALLER, None)
        redeemed = await authority.redeem(redemption(answer), CALLER)
        with pytest.raises(NotPermittedError, match="already redeemed"):
            await authority.redeem(redemption(answer), CALLER)
        outcome = OutcomeRequest(decision_id=redeemed.decision_id, status="succeeded", duration_ms=3)
        await authority.report_outcome(outcome, CALLER)
        with pytest.raises(NotPermittedError):
            await authority.report_outcome(outcome, CALLER)
        kinds = [body["kind"] for body in kit.bodies()]
        await authority.stop()
        return kinds

    assert run(scenario()) == ["genesis", "policy.published", "decision", "permit.redeemed", "outcome"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"arguments_sha256": hashlib.sha256(b"{}").hexdigest()}, "permit-mismatch"),
        ({"tool": "read"}, "permit-mismatch"),
        ({"permit": "A" * 43}, "permit-unknown"),
    ],
)
def test_what_does_not_fit_is_not_redeemed(kit, changes, code):
    """Other arguments, another tool, a forged token: refused, and the true redemption still works."""

    async def scenario():
        authority = await kit.started()
        answer = await authority.evaluate(question(), CALLER, None)
        with pytest.raises(NotPermittedError) as caught:
            await authority.redeem(redemption(answer, **changes), CALLER)
        await authority.redeem(redemption(answer), CALLER)
        await authority.stop()
        return caught.value.code

    assert run(scenario()) == code


def test_a_stolen_permit_is_useless_to_another_caller(kit):
    """Only a caller that may speak for the agent can redeem."""
    thief = Identity(principal="thief", proof="unix_peer", agents=frozenset({"a2"}))

    async def scenario():
        authority = await kit.started()
        answer = await authority.evaluate(question(), CALLER, None)
        with pytest.raises(NotPermittedError) as caught:
            await authority.redeem(redemption(answer), thief)
        await authority.redeem(redemption(answer), CALLER)
        await authority.stop()
        return caught.value.code

    assert run(scenario()) == "permit-unknown"


def test_a_policy_change_withdraws_permits(kit):
    """A permit is bound to the policy version it was decided under."""

    async def scenario():
        authority = await kit.started()
        answer = await authority.evaluate(question(), CALLER, None)
        await authority.publish_policy(bundle(limits=LIMITS), CALLER)
        with pytest.raises(NotPermittedError, match="policy set changed"):
            await authority.redeem(redemption(answer), CALLER)
        await authority.stop()

    run(scenario())


def test_concurrent_redemptions_succeed_exactly_once(kit):
    """Of many redemptions at once, one wins."""

    async def scenario():
        authority = await kit.started()
        answer = await authority.evaluate(question(), CALLER, None)
        tries = [authority.redeem(redemption(answer), CALLER) for _ in range(50)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        await authority.stop()
        return [result for result in results if not isinstance(result, NotPermittedError)]

    assert len(run(scenario())) == 1


def test_decide_and_redeem_in_one_append(kit):
    """With ``redeem`` the decision's record says so; the permit cannot be used again; the outcome can be reported."""

    async def scenario():
        authority = await kit.started()
        answer = await authority.evaluate(question(redeem=True), CALLER, None)
        size = kit.journal.size
        with pytest.raises(NotPermittedError, match="already redeemed"):
            await authority.redeem(redemption(answer), CALLER)
        await authority.report_outcome(
            OutcomeRequest(
                decision_id=answer.context.record_id,
                status="failed",
                duration_ms=1,
                output_sha256="00" * 32,
                output_size_bytes=4,
                error=Failure("ValueError", "no"),
            ),
            CALLER,
        )
        bodies = kit.bodies()
        await authority.stop()
        return answer, size, bodies

    answer, size, bodies = run(scenario())

    assert answer.context.permit.redeemed
    assert size == 3
    assert bodies[2]["permit"]["redeemed"] is True
    assert bodies[3]["status"] == "failed"


def test_repeated_request_ids_give_the_first_answer(kit):
    """The same id and question: the same record and permit, one decision; another question: refused."""

    async def scenario():
        authority = await kit.started()
        first = await authority.evaluate(question(), CALLER, "r1")
        again = await authority.evaluate(question(), CALLER, "r1")
        together = await asyncio.gather(*(authority.evaluate(question(), CALLER, "r2") for _ in range(10)))
        with pytest.raises(NotPermittedError, match="another request") as reused:
            await authority.evaluate(question(to="eve", amount=5), CALLER, "r1")
        assert reused.value.code == "request-id-reused"
        decisions = [body for body in kit.bodies() if body["kind"] == "decision"]
        await authority.stop()
        return first, again, together, decisions

    first, again, together, decisions = run(scenario())

    assert again == first
    assert len({answer.context.record_id for answer in together}) == 1
    assert len(decisions) == 2


def test_expired_permits_become_unknown_by_themselves(kit):
    """A permit that nobody redeems ends as ``outcome_unknown``, and cannot be redeemed any more."""

    async def scenario():
        authority = await kit.started(times=replace(PATIENT, permit_ttl_ms=1))
        answer = await authority.evaluate(question(), CALLER, None)
        await kit.until(lambda: kit.journal.size >= 4)
        with pytest.raises(NotPermittedError, match="expired"):
            await authority.redeem(redemption(answer), CALLER)
        body = kit.bodies()[-1]
        await authority.stop()
        return body

    body = run(scenario())

    assert (body["status"], body["cause"]) == ("outcome_unknown", "permit_expired")


def test_overdue_outcomes_become_unknown_and_may_come_late(kit):
    """A redeemed permit without an outcome ends as unknown; a late report is recorded as late."""

    async def scenario():
        authority = await kit.started(times=replace(PATIENT, outcome_due_ms=1))
        answer = await authority.evaluate(question(redeem=True), CALLER, None)
        await kit.until(lambda: kit.journal.size >= 4)
        report = OutcomeRequest(decision_id=answer.context.record_id, status="succeeded", duration_ms=9)
        await authority.report_outcome(report, CALLER)
        bodies = kit.bodies()[-2:]
        await authority.stop()
        return bodies

    unknown, late = run(scenario())

    assert (unknown["status"], unknown["cause"]) == ("outcome_unknown", "outcome_overdue")
    assert (late["status"], late["late"]) == ("succeeded", True)


def test_pause_stops_decisions_and_permits_already_out(kit):
    """The next decision is DENY, a permit already out is refused; after resuming decisions go on."""

    async def scenario():
        authority = await kit.started()
        before = await authority.evaluate(question(), CALLER, None)
        await authority.pause("a1", "looks hijacked", CALLER)
        during = await authority.evaluate(question(), CALLER, None)
        with pytest.raises(NotPermittedError) as caught:
            await authority.redeem(redemption(before), CALLER)
        other = await authority.evaluate(question(agent="a2", to="mallory", amount=1), CALLER, None)
        await authority.resume("a1", CALLER)
        after = await authority.evaluate(question(), CALLER, None)
        await authority.stop()
        return during.context, caught.value.code, other.context, after.context

    during, code, other, after = run(scenario())

    assert (during.outcome, during.reason) == ("DENY", "agent_paused")
    assert code == "agent-paused"
    assert other.reason == "policy"
    assert after.outcome == "PERMIT"


def test_quotas_count_reservations(kit):
    """Of five concurrent payments under a quota of three, three are permitted and two denied by the rule's name."""

    async def scenario():
        authority = await kit.started(limits=LIMITS)
        answers = await asyncio.gather(*(authority.evaluate(question(), CALLER, None) for _ in range(5)))
        await authority.stop()
        return [answer.context for answer in answers]

    answers = run(scenario())

    assert [answer.outcome for answer in answers].count("PERMIT") == 3
    denied = [answer for answer in answers if answer.outcome != "PERMIT"]
    assert {(answer.outcome, answer.reason, answer.policies[0]) for answer in denied} == {
        ("DENY", "quota_exceeded", "calls")
    }


def test_captured_records_and_their_bounds(kit):
    """Events are recorded with any keys and numbers; kinds of the authority's own are refused."""

    async def scenario():
        authority = await kit.started()
        request = CaptureRequest(kind="reasoning", data={"Überlegung": 1.5}, agent="a1", request_id="e1")
        first = await authority.capture(request, CALLER)
        again = await authority.capture(request, CALLER)
        with pytest.raises(InputError):
            await authority.capture(CaptureRequest(kind="decision", agent="a1"), CALLER)
        with pytest.raises(NotPermittedError) as reused:
            await authority.capture(CaptureRequest(kind="reasoning", agent="a1", request_id="e1"), CALLER)
        assert reused.value.code == "request-id-reused"
        body = kit.bodies()[-1]
        await authority.stop()
        return first, again, body

    first, again, body = run(scenario())

    assert first == again
    assert body["data_json"] == '{"Überlegung":1.5}'
    assert body["claimed"] is True


def test_every_body_fits_the_published_model(kit):
    """Each kind of record that the authority writes is exactly what its structure says, and canonical."""

    async def scenario():
        authority = await kit.started(limits=LIMITS, times=replace(PATIENT, permit_ttl_ms=1))
        await authority.evaluate(question(), CALLER, "x")
        await authority.evaluate(question(to="mallory", amount=1), CALLER, None)
        answer = await authority.evaluate(question(redeem=True), CALLER, None)
        report = OutcomeRequest(decision_id=answer.context.record_id, status="succeeded", duration_ms=9)
        await authority.report_outcome(report, CALLER)
        await authority.capture(CaptureRequest(kind="event.logged", data={"a": 1}, agent="a1"), CALLER)
        await authority.pause("a1", "why", CALLER)
        await authority.resume("a1", CALLER)
        await kit.until(lambda: any(body.get("cause") for body in kit.bodies()))
        bodies = kit.bodies()
        await authority.stop()
        return bodies

    bodies = run(scenario())

    assert {body["kind"] for body in bodies} >= {
        "policy.published", "decision", "outcome", "event.logged", "containment.applied", "containment.lifted",
    }  # fmt: skip
    for body in bodies:
        msgspec.convert(body, MODEL[body["kind"]], strict=True)
        assert canonical.decode(canonical.encode(body)) == body
    assert [body["producer"]["seq"] for body in bodies] == list(range(len(bodies)))
    assert [body["record_id"] for body in bodies] == sorted(body["record_id"] for body in bodies)


def test_one_report_sent_many_times_at_once_is_one_record(kit):
    """Copies of a report under one request id, at once and later, all get the first answer."""

    async def scenario():
        authority = await kit.started()
        answer = await authority.evaluate(question(redeem=True), CALLER, None)
        report = OutcomeRequest(
            decision_id=answer.context.record_id, status="succeeded", duration_ms=1, request_id="report-1"
        )
        together = await asyncio.gather(*(authority.report_outcome(report, CALLER) for _ in range(30)))
        later = await authority.report_outcome(report, CALLER)
        second = await authority.evaluate(question(redeem=True), CALLER, None)
        other = msgspec.structs.replace(report, decision_id=second.context.record_id)
        with pytest.raises(NotPermittedError) as reused:
            await authority.report_outcome(other, CALLER)
        assert reused.value.code == "request-id-reused"
        reported = authority.metrics()["sealgate_permits_reported_total"]
        outcomes = [body for body in kit.bodies() if body["kind"] == "outcome"]
        await authority.stop()
        return together, later, reported, outcomes

    together, later, reported, outcomes = run(scenario())

    assert {recorded.record_id for recorded in together} == {later.record_id}
    assert (reported, len(outcomes)) == (1, 1)
