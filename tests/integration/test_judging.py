"""Policies judged in another process: the same answers, and decisions go on when it dies, lags or knows another set."""

import asyncio
import signal

import pytest

from sealgate.adapters.judging.process import ProcessJudge
from sealgate.model.errors import NotPermittedError

from .conftest import CALLER, LIMITS, POLICIES, bundle, question

QUESTIONS = [
    {},
    {"to": "mallory", "amount": 5},
    {"to": "bob", "amount": 101},
    {"tool": "read", "path": "/x"},
    {"tool": "unknown"},
    {"to": "bob"},
    {"to": "bob", "amount": 5, "extra": 1},
    {"agent": "a2", "to": "bob", "amount": 5},
]


async def ready(kit, judge):
    """Wait until the judge has loaded the policy set."""
    await kit.until(lambda: judge._loaded != "", timeout_s=60)


async def ask_all(authority, copies):
    """Ask all questions ``copies`` times at once; return outcome and reason of each."""
    answers = await asyncio.gather(
        *(authority.evaluate(question(**asked), CALLER, None) for asked in QUESTIONS for _ in range(copies))
    )
    return [(answer.context.outcome, answer.context.reason, answer.context.policies) for answer in answers]


def counted(judge):
    """Count what the judge is asked."""
    asked = []
    ask = judge.ask

    def count(version, matter):
        future = ask(version, matter)
        if future is not None:
            asked.append(matter)
        return future

    judge.ask = count
    return asked


def test_the_same_answers_as_in_process(kit):
    """Busy, the judge is asked; its answers equal those of the authority alone; the order of records holds."""

    async def scenario():
        judge = ProcessJudge(busy=4)
        authority = await kit.started(judges=judge)
        await ready(kit, judge)
        asked = counted(judge)
        many = await ask_all(authority, 8)
        authority._administration.rulebook._judged.clear()  # what the judge said must not answer for the authority
        alone = [
            (answer.context.outcome, answer.context.reason, answer.context.policies)
            for asking in QUESTIONS
            for answer in [await authority.evaluate(question(**asking), CALLER, None)]
        ]
        ids = [body["record_id"] for body in kit.bodies()]
        await authority.stop()
        return asked, many, alone, ids

    asked, many, alone, ids = asyncio.run(scenario())

    assert len(asked) > 20
    assert many == [answer for answer in alone for _ in range(8)]
    assert ids == sorted(ids)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_or_stuck_judge_costs_no_decision(kit, how):
    """While the judge is killed or stopped, every decision is still made, and made right."""

    async def scenario():
        judge = ProcessJudge(busy=4)
        authority = await kit.started(judges=judge)
        await ready(kit, judge)
        asked = counted(judge)
        judge._child.process.send_signal(how)
        answers = await ask_all(authority, 8)
        await authority.stop()
        return asked, answers

    asked, answers = asyncio.run(scenario())

    assert asked
    assert answers[:8] == [("PERMIT", "policy", ["pay-small"])] * 8
    assert answers[8:16] == [("DENY", "policy", ["never-mallory"])] * 8


def test_a_policy_set_published_meanwhile_counts(kit):
    """No decision that is recorded after a publication was made under the former policy set."""

    async def scenario():
        judge = ProcessJudge(busy=4)
        authority = await kit.started(judges=judge)
        await ready(kit, judge)
        asking = [asyncio.ensure_future(authority.evaluate(question(), CALLER, None)) for _ in range(200)]
        await asyncio.sleep(0.005)
        await authority.publish_policy(bundle(POLICIES.replace("<= 100", "<= 1")), CALLER)
        await asyncio.gather(*asking)
        bodies = kit.bodies()
        await authority.stop()
        return bodies

    bodies = asyncio.run(scenario())

    published = [index for index, body in enumerate(bodies) if body["kind"] == "policy.published"]
    versions = {body["decision"]["policy_version"] for body in bodies[published[-1] :] if body["kind"] == "decision"}
    assert versions <= {bodies[published[-1]]["policy_version"]}


def test_one_request_id_is_one_decision_also_elsewhere(kit):
    """Of many requests with one id at once, one is decided; another question under it is refused."""

    async def scenario():
        judge = ProcessJudge(busy=1)
        authority = await kit.started(judges=judge)
        await ready(kit, judge)
        together = await asyncio.gather(*(authority.evaluate(question(), CALLER, "r") for _ in range(20)))
        with pytest.raises(NotPermittedError, match="was used for another request"):
            await authority.evaluate(question(to="eve", amount=1), CALLER, "r")
        decisions = [body for body in kit.bodies() if body["kind"] == "decision"]
        await authority.stop()
        return together, decisions

    together, decisions = asyncio.run(scenario())

    assert len({answer.context.record_id for answer in together}) == 1
    assert len(decisions) == 1


def test_limits_are_kept_here_for_what_was_judged_elsewhere(kit):
    """A tool that only the judge has seen so far is counted all the same, and denied over its quota."""

    async def scenario():
        judge = ProcessJudge(busy=1)
        authority = await kit.started(judges=judge, limits=LIMITS)
        await ready(kit, judge)
        asked = counted(judge)
        answers = await asyncio.gather(*(authority.evaluate(question(), CALLER, None) for _ in range(5)))
        await authority.stop()
        return asked, sorted(answer.context.reason for answer in answers)

    asked, reasons = asyncio.run(scenario())

    assert len(asked) == 5
    assert reasons == ["policy"] * 3 + ["quota_exceeded"] * 2
