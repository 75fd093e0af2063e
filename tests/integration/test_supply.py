"""Packages and trust: recorded, seen by policies, kept in the decision, remembered over restarts."""

import asyncio

import pytest

from sealgate.model.errors import InputError
from sealgate.model.supply import InstallationRequest, TrustRequest, VerificationRequest

from .conftest import CALLER, question
from .test_credentials import crash

POLICIES = """
@id("trusted") permit (principal, action == Action::"pay", resource)
when { context.tool has trust_level && context.tool.trust_level == "high"
       && context.tool has verification_score && context.tool.verification_score >= 80 };
"""


def score(level, points, target="pay", kind="tool"):
    """A trust score."""
    return TrustRequest(target_type=kind, target=target, trust_level=level, score=points, reason="review")


def verified(version="1.0", points=95, result="passed"):
    """A verification."""
    return VerificationRequest(
        package="bank-mcp", version=version, method="sigstore", result=result, publisher="Bank", score=points
    )


def test_policies_see_trust_and_the_record_keeps_it(kit):
    """No score: SILENCE; a good one: PERMIT; a worse one: SILENCE again. Each decision says what it saw."""

    async def scenario():
        authority = await kit.started(policies=POLICIES)
        seen = []
        for wanted in (None, score("high", 90), score("high", 10), score("low", 90), score("high", 80)):
            if wanted is not None:
                await authority.score_trust(wanted, CALLER)
            answer = await authority.evaluate(question(), CALLER, None)
            tool = kit.reader.find(answer.context.record_id).content()["tool"]
            seen.append((answer.decision, tool["trust_level"], tool["verification_score"]))
        history = authority.trust_scores().scores
        bodies = [body for body in kit.bodies() if body["kind"] == "trust.scored"]
        await authority.stop()
        return seen, history, bodies

    seen, history, bodies = asyncio.run(scenario())

    assert seen == [
        (False, None, None),
        (True, "high", 90),
        (False, "high", 10),
        (False, "low", 90),
        (True, "high", 80),
    ]
    assert [(body["previous_level"], body["previous_score"]) for body in bodies[:2]] == [(None, None), ("high", 90)]
    assert len(history) == 4


def test_an_installation_carries_its_verification(kit):
    """Score, version and publisher come from what the agent has installed; another agent has nothing."""

    async def scenario():
        authority = await kit.started(policies=POLICIES)
        await authority.score_trust(score("high", 1, "bank", "server"), CALLER)
        await authority.verify_package(verified(), CALLER)
        install = InstallationRequest(package="bank-mcp", version="1.0", agent="a1", server="bank")
        await authority.install_package(install, CALLER)
        tools = []
        for agent in ("a1", "a2"):
            answer = await authority.evaluate(question(agent=agent), CALLER, None)
            tools.append((answer.decision, kit.reader.find(answer.context.record_id).content()["tool"]))
        await authority.verify_package(verified(result="failed"), CALLER)
        failed = await authority.evaluate(question(), CALLER, None)
        installed = next(body for body in kit.bodies() if body["kind"] == "package.installed")
        await authority.stop()
        return tools, failed.decision, installed

    ((mine, tool), (other, _)), failed, installed = asyncio.run(scenario())

    assert (mine, other, failed) == (True, False, False)
    assert (tool["version"], tool["publisher"], tool["verification_score"]) == ("1.0", "Bank", 95)
    assert (installed["verification"]["result"], installed["verification"]["score"]) == ("passed", 95)


@pytest.mark.parametrize("gracefully", [True, False])
def test_trust_over_a_restart(kit, gracefully):
    """From the snapshot and from the journal alone."""

    async def scenario():
        authority = await kit.started(policies=POLICIES)
        await authority.verify_package(verified(), CALLER)
        await authority.score_trust(score("high", 90), CALLER)
        before = authority.packages(), authority.trust_scores()
        await (authority.stop() if gracefully else crash(authority, kit))
        authority = await kit.started(policies=POLICIES)
        assert (authority.packages(), authority.trust_scores()) == before
        answer = await authority.evaluate(question(), CALLER, None)
        await authority.stop()
        return answer.decision

    assert asyncio.run(scenario())


def test_a_caller_cannot_claim_trust(kit):
    """The fact `tool` is the authority's own."""

    async def scenario():
        authority = await kit.started(policies=POLICIES)
        asked = question()
        claimed = type(asked.context)(input=asked.context.input, facts={"tool": {"trust_level": "high"}})
        with pytest.raises(InputError, match="authority's own"):
            await authority.evaluate(type(asked)(asked.subject, asked.action, asked.resource, claimed), CALLER, None)
        for wrong in (
            verified(points=101),
            VerificationRequest(package="p", version="1", method="m", result="passed", artifact_sha256="x"),
        ):
            with pytest.raises(InputError):
                await authority.verify_package(wrong, CALLER)
        await authority.stop()

    asyncio.run(scenario())
