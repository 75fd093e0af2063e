"""What a real authority writes is what ``schema/record.json`` says."""

import asyncio
import hashlib
import json
from pathlib import Path

import jsonschema
import pytest

from sealgate.encoding import canonical
from sealgate.model.decisions import Reason
from sealgate.model.evaluation import CaptureRequest, Failure, OutcomeRequest, RedeemRequest
from sealgate.model.records import MODEL

from .conftest import CALLER, LIMITS, question

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "schema" / "record.json").read_text("utf-8"))
ARGUMENTS = hashlib.sha256(canonical.encode_arguments({"to": "bob", "amount": 5})).hexdigest()


@pytest.fixture(name="bodies")
def _bodies(kit):
    """The bodies of a life with every outcome, redemptions, reports, captures, a pause and a gap."""

    async def scenario():
        authority = await kit.started(limits=LIMITS)
        permitted = await authority.evaluate(question(), CALLER, "r1")
        redeemed = await authority.evaluate(question(redeem=True), CALLER, "r2")
        await authority.evaluate(question(to="mallory", amount=1), CALLER, None)
        await authority.evaluate(question(agent="a2"), CALLER, None)
        await authority.evaluate(question(tool="unknown"), CALLER, None)
        await authority.redeem(RedeemRequest(permitted.context.permit.token, "pay", ARGUMENTS), CALLER)
        error = Failure(type="ValueError", message="no")
        for answer, report in ((permitted, {"status": "succeeded"}), (redeemed, {"status": "failed", "error": error})):
            outcome = OutcomeRequest(decision_id=answer.context.record_id, duration_ms=1, **report)
            await authority.report_outcome(outcome, CALLER)
        traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        event = CaptureRequest(kind="event.logged", data={"a": 1}, agent="a1", traceparent=traceparent)
        await authority.capture(event, CALLER)
        await authority.pause("a2", "why", CALLER)
        await authority.resume("a2", CALLER)
        kit.clock.shift_ms = -60_000  # behind the newest record: nothing can be recorded
        missed = await authority.evaluate(question(), CALLER, None)
        kit.clock.shift_ms = 1_000
        await kit.until(lambda: any(body["kind"] == "capture.gap" for body in kit.bodies()), timeout_s=60)
        bodies = kit.bodies()
        await authority.stop()
        assert missed.context.reason == Reason.CLOCK
        return bodies

    return asyncio.run(scenario())


def test_every_body_fits(bodies):
    """All kinds that this life wrote are valid; nothing that is written is missing in the schema."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    kinds = {body["kind"] for body in bodies}

    assert [(body["kind"], error.message) for body in bodies for error in validator.iter_errors(body)] == []
    assert kinds >= {"genesis", "policy.published", "decision", "permit.redeemed", "outcome", "event.logged"}
    assert kinds >= {"containment.applied", "containment.lifted", "capture.gap"}
    assert kinds <= set(MODEL)


def test_every_record_that_a_caller_caused_tells_how_the_caller_was_proved(bodies):
    """The others are the authority's own acts, and there are no more of them than these."""
    own = {body["kind"] for body in bodies if body["agent"] is None}

    assert own == {"genesis", "capture.gap"}
    assert {body["agent"]["proof"] for body in bodies if body["agent"] is not None} == {"unix_peer"}


@pytest.mark.parametrize("damage", ["member missing", "member added", "wrong type", "other kind", "unknown outcome"])
def test_a_damaged_body_does_not(bodies, damage):
    """A body with one thing wrong is refused; untouched it fits (positive control)."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    body = next(body for body in bodies if body["kind"] == "decision")
    assert validator.is_valid(body)
    if damage == "member missing":
        del body["input_digest"]
    elif damage == "member added":
        body["note"] = "x"
    elif damage == "wrong type":
        body["input_size_bytes"] = "12"
    elif damage == "other kind":
        body["kind"] = "outcome"
    else:
        body["decision"]["outcome"] = "ALLOW"

    assert not validator.is_valid(body)
