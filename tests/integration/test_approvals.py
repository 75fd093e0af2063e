"""People are asked, answer, and what they allowed runs exactly once: through a real authority, journal and restarts."""

import asyncio
from dataclasses import replace

import msgspec
import pytest

from sealgate.authority.approval_requests import Settings
from sealgate.model.approvals import BatchAnswer, Bound, CapabilityRequest, CapabilityTerms, Needed, SumBound
from sealgate.model.errors import InputError, NotPermittedError
from sealgate.model.evaluation import Identity, Task
from sealgate.model.records import MODEL

from .conftest import CALLER, bundle, question

POLICIES = """
@id("read") permit (principal, action == Action::"read", resource);
@id("pay") @require_approval("manager:1") permit (principal, action == Action::"pay", resource)
when { context.input.amount <= 1000 };
@id("pay-much") @require_approval("director:2") permit (principal, action == Action::"pay", resource)
when { context.input.amount > 1000 };
"""
ALICE = Identity(principal="alice", proof="api_key")
BOB = Identity(principal="bob", proof="api_key")
CAROL = Identity(principal="carol", proof="mutual_tls")
OPERATOR = Identity(principal="op", proof="unix_peer", roles=frozenset({"operate"}))
ROLES = {
    "alice": frozenset({"manager", "director"}),
    "bob": frozenset({"manager", "director"}),
    "carol": frozenset({"director"}),
    "tester": frozenset({"manager"}),
    "a1": frozenset({"manager"}),
    "delegator": frozenset({"manager"}),
}
SETTINGS = Settings(ROLES)


def _run(kit, scenario, *, settings=SETTINGS, policies=POLICIES, **options):
    async def life():
        authority = await kit.started(policies=policies, approvals=settings, **options)
        try:
            return await scenario(authority)
        finally:
            await authority.stop()

    return asyncio.run(life())


async def _asked(authority, **arguments):
    answer = await authority.evaluate(question(**arguments), CALLER, None)
    assert (answer.context.outcome, answer.context.reason) == ("SILENCE", "approval_required")
    return answer.context.approval


def test_asked_granted_and_used_exactly_once(kit):
    """SILENCE with the approval; a yes; the identical retry is PERMIT with the approvers, the next asks anew."""

    async def scenario(authority):
        wanted = await _asked(authority)
        assert wanted.state == "requested"
        assert wanted.needed == [Needed("manager", 1)]
        assert (await _asked(authority)).id == wanted.id
        step = await authority.approvals.answer(wanted.id, ALICE, "looks right", grant=True)
        assert (step.state, step.missing) == ("granted", 0)
        other = await _asked(authority, to="eve", amount=5)
        assert other.id != wanted.id
        permit = await authority.evaluate(question(), CALLER, None)
        assert permit.context.outcome == "PERMIT"
        assert permit.context.permit is not None
        assert permit.context.approval.approvers == ["alice"]
        again = await _asked(authority)
        assert again.id not in (wanted.id, other.id)
        assert authority.approvals.show(wanted.id, ALICE).state == "consumed"
        return permit.context.record_id, wanted.id, kit.bodies()

    record_id, approval_id, bodies = _run(kit, scenario)
    for body in bodies:
        if body["kind"].startswith(("approval.", "decision")):
            msgspec.convert(body, MODEL[body["kind"]], strict=True)
    decision = next(body for body in bodies if body["record_id"] == record_id)["decision"]
    assert decision["authorization_method"] == "human_approval"
    assert decision["approval"]["id"] == approval_id
    assert decision["approval"]["approvers"] == ["alice"]


@pytest.mark.parametrize("snapshot", [True, False])
def test_it_all_survives_restarts(kit, snapshot):
    """Requested, restart, granted, restart, used, restart: from the snapshot or the journal alone, used once."""

    async def first(authority):
        return (await _asked(authority)).id

    async def second(authority):
        shown = authority.approvals.show(approval_id, ALICE)
        assert (shown.state, shown.arguments) == ("requested", '{"amount":5,"to":"bob"}')
        await authority.approvals.answer(approval_id, ALICE, "", grant=True)

    async def third(authority):
        assert authority.approvals.show(approval_id, ALICE).state == "granted"
        assert (await authority.evaluate(question(), CALLER, None)).decision

    async def fourth(authority):
        assert authority.approvals.show(approval_id, ALICE).state == "consumed"
        assert (await _asked(authority)).id != approval_id
        figures = authority.approvals.figures()
        assert (figures.requested, figures.granted, figures.used) == (2, 1, 1)
        assert figures.approvers[0].principal == "alice"

    approval_id = _run(kit, first)
    for scenario in (second, third, fourth):
        if not snapshot:
            (kit.folder / "snapshot").unlink(missing_ok=True)
        _run(kit, scenario)


def test_one_yes_is_used_by_one_of_many_identical_retries(kit):
    """Of fifty identical questions at once one is permitted, also when people answer at the same time."""

    async def scenario(authority):
        permits = 0
        for _ in range(5):
            wanted = await _asked(authority)
            asks = [authority.evaluate(question(), CALLER, None) for _ in range(25)]
            yes = authority.approvals.answer(wanted.id, ALICE, "", grant=True)
            more = [authority.evaluate(question(), CALLER, None) for _ in range(25)]
            done = await asyncio.gather(*asks, yes, *more)
            late = await asyncio.gather(*(authority.evaluate(question(), CALLER, None) for _ in range(20)))
            answers = [one for one in (*done, *late) if hasattr(one, "decision")]
            used = [one for one in answers if one.decision]
            assert len(used) == 1
            permits += len(used)
            for waiting in authority.approvals.list(ALICE).approvals:
                await authority.approvals.answer(waiting.id, ALICE, "no", grant=False)
            kit.clock.shift_ms += 3_700_000
        return permits

    assert _run(kit, scenario) == 5


def test_many_answers_at_once_count_once(kit):
    """Of a hundred answers of two persons at the same time two count, of one person one."""

    async def scenario(authority):
        wanted = await _asked(authority, to="bob", amount=5000)
        assert wanted.needed == [Needed("director", 2)]
        answers = [authority.approvals.answer(wanted.id, who, "", grant=True) for who in (ALICE, BOB, CAROL) * 30]
        done = await asyncio.gather(*answers, return_exceptions=True)
        assert sum(not isinstance(one, Exception) for one in done) == 2
        assert {one.code for one in done if isinstance(one, Exception)} == {"approval-decided"}
        return [body for body in kit.bodies() if body["kind"] == "approval.granted"]

    granted = _run(kit, scenario)
    assert len({body["principal"] for body in granted}) == len(granted) == 2
    assert [body["complete"] for body in granted] == [False, True]


def test_the_requester_decides_nothing(kit):
    """Neither the caller, nor the agent, nor a delegator decides; nor who lacks the role. Another person does."""

    async def scenario(authority):
        request = question()
        request = msgspec.structs.replace(
            request, context=msgspec.structs.replace(request.context, on_behalf_of=["delegator"])
        )
        wanted = (await authority.evaluate(request, CALLER, None)).context.approval
        for name in ("tester", "a1", "delegator"):
            person = Identity(principal=name, proof="api_key", roles=frozenset({"read"}))
            for grant in (True, False):
                with pytest.raises(NotPermittedError) as refused:
                    await authority.approvals.answer(wanted.id, person, "", grant=grant)
                assert refused.value.code == "own-request"
        with pytest.raises(NotPermittedError) as refused:
            await authority.approvals.answer(wanted.id, CAROL, "", grant=True)
        assert refused.value.code == "approval-unknown"
        with pytest.raises(NotPermittedError) as refused:
            await authority.approvals.answer(wanted.id, OPERATOR, "", grant=True)
        assert refused.value.code == "not-an-approver"
        assert (await authority.approvals.answer(wanted.id, BOB, "", grant=True)).state == "granted"

    _run(kit, scenario)


def test_a_no_is_the_last_word_until_its_time_is_over(kit):
    """Refused: the retry is told so and nobody is asked again; later it may be asked anew."""

    async def scenario(authority):
        wanted = await _asked(authority)
        await authority.approvals.answer(wanted.id, ALICE, "not today", grant=False)
        told = await _asked(authority)
        assert (told.id, told.state) == (wanted.id, "refused")
        with pytest.raises(NotPermittedError, match="refused"):
            await authority.approvals.answer(wanted.id, BOB, "", grant=True)
        kit.clock.shift_ms += 3_700_000
        assert (await _asked(authority)).id != wanted.id

    _run(kit, scenario)


@pytest.mark.parametrize("granted", [True, False])
def test_expiry_is_a_refusal_on_record(kit, granted):
    """Asked or even granted: when its time is over it cannot be used or given, and a record says so."""

    async def scenario(authority):
        wanted = await _asked(authority)
        if granted:
            await authority.approvals.answer(wanted.id, ALICE, "", grant=True)
        kit.clock.shift_ms += 3_600_001
        assert (await _asked(authority)).id != wanted.id
        with pytest.raises(NotPermittedError):
            await authority.approvals.answer(wanted.id, BOB, "", grant=True)
        await kit.until(lambda: authority.approvals.show(wanted.id, ALICE).state == "expired")
        return [body for body in kit.bodies() if body["kind"] == "approval.expired"]

    (expired,) = _run(kit, scenario)
    assert expired["cause"] == "time"


def test_another_policy_set_ends_what_was_asked_under_the_former(kit):
    """Granted, then the policies (or a tool's definition) change: not usable, and expired on record."""

    async def scenario(authority):
        wanted, waiting = await _asked(authority), await _asked(authority, to="eve", amount=5)
        await authority.approvals.answer(wanted.id, ALICE, "", grant=True)
        await authority.publish_policy(
            bundle(POLICIES + '@id("x") forbid (principal, action, resource) when { false };'), CALLER
        )
        with pytest.raises(NotPermittedError) as refused:
            await authority.approvals.answer(waiting.id, ALICE, "", grant=True)
        assert refused.value.code == "approval-expired"
        assert (await _asked(authority)).id != wanted.id
        await kit.until(lambda: authority.approvals.show(wanted.id, ALICE).state == "expired")
        await kit.until(lambda: authority.approvals.show(waiting.id, ALICE).state == "expired")
        return [body for body in kit.bodies() if body["kind"] == "approval.expired"]

    assert {body["cause"] for body in _run(kit, scenario)} == {"policy_changed"}


def test_arguments_are_shown_to_approvers_only_and_redacted(kit):
    """Who asked sees no arguments; who decides sees them after the field policy; afterwards nobody."""

    async def scenario(authority):
        wanted = await _asked(authority, to="DE89370400440532013000", amount=5)
        shown = authority.approvals.show(wanted.id, ALICE)
        assert '"amount":5' in shown.arguments
        assert "DE89370400440532013000" not in shown.arguments
        assert shown.arguments_exact is False
        plain = await _asked(authority, to="bob", amount=5)
        exact = authority.approvals.show(plain.id, ALICE)
        assert (exact.arguments, exact.arguments_exact) == ('{"amount":5,"to":"bob"}', True)
        assert authority.approvals.show(wanted.id, CALLER).arguments is None
        assert authority.approvals.show(wanted.id, CALLER).arguments_exact is None
        with pytest.raises(NotPermittedError) as unknown:
            authority.approvals.show(wanted.id, Identity(principal="stranger", proof="api_key"))
        assert unknown.value.code == "approval-unknown"
        await authority.approvals.answer(wanted.id, ALICE, "", grant=False)
        assert authority.approvals.show(wanted.id, ALICE).arguments is None
        too_long = await authority.evaluate(question(to="x y " * 8000, amount=1), CALLER, None)
        assert too_long.context.approval is None
        assert "can be shown" in too_long.context.message

    _run(kit, scenario)


def test_people_are_not_flooded(kit):
    """Beyond so many prompts an hour nobody is asked, and nothing runs; an hour later they are."""

    async def scenario(authority):
        for number in range(3):
            await _asked(authority, to="bob", amount=number)
        assert await _asked(authority, to="bob", amount=99) is None
        assert authority.approvals.figures().suppressed == 1
        kit.clock.shift_ms += 3_600_001
        assert await _asked(authority, to="bob", amount=99) is not None

    _run(kit, scenario, settings=replace(SETTINGS, prompts_per_hour=3))


def test_a_batch_is_all_or_nothing_and_of_one_shape(kit):
    """Three payments with one decision, one record each; another shape, or one's own, and nothing is decided."""

    async def scenario(authority):
        waiting = [(await _asked(authority, to="bob", amount=amount)).id for amount in (1, 2, 3)]
        other = (await _asked(authority, to="bob", amount=2000)).id
        with pytest.raises(InputError, match="same shape"):
            await authority.approvals.answer_batch(BatchAnswer([*waiting, other], "grant"), ALICE)
        with pytest.raises(InputError, match="different"):
            await authority.approvals.answer_batch(BatchAnswer([waiting[0], waiting[0]], "grant"), ALICE)
        with pytest.raises(NotPermittedError):
            await authority.approvals.answer_batch(BatchAnswer(waiting, "grant"), replace_name("tester"))
        assert not [body for body in kit.bodies() if body["kind"] == "approval.granted"]
        steps = await authority.approvals.answer_batch(BatchAnswer(waiting, "grant", "payday"), ALICE)
        assert [step.state for step in steps.approvals] == ["granted"] * 3
        granted = [body for body in kit.bodies() if body["kind"] == "approval.granted"]
        assert {body["batch_id"] for body in granted} == {steps.batch_id}

    _run(kit, scenario)


def replace_name(name):
    """A person of this name who may look at everything."""
    return Identity(principal=name, proof="api_key", roles=frozenset({"read"}))


def _capability(**terms):
    given = {
        "tools": ["pay"],
        "max_uses": 3,
        "bounds": [Bound("to", one_of=["bob", "eve"]), Bound("amount", at_most=100)],
        "max_sum": SumBound("amount", 150),
    }
    return CapabilityRequest("a1", CapabilityTerms(**{**given, **terms}), [Needed("manager", 1)], 3600, "payroll")


def test_a_capability_covers_calls_within_its_bounds(kit):
    """Approved once: calls within bounds run without a prompt, until uses, sum or time are over."""

    async def scenario(authority):
        wanted = await authority.approvals.request_capability(_capability(), CALLER)
        assert (await _asked(authority, to="bob", amount=60)).method is None  # nobody said yes yet
        with pytest.raises(NotPermittedError):
            await authority.approvals.answer(wanted.id, replace_name("tester"), "", grant=True)
        await authority.approvals.answer(wanted.id, BOB, "", grant=True)
        first = await authority.evaluate(question(to="bob", amount=60), CALLER, None)
        assert first.decision
        assert first.context.approval.method == "just_in_time"
        await _asked(authority, to="mallory", amount=1)
        await _asked(authority, to="bob", amount=101)
        await _asked(authority, to="bob", amount=91)  # the sum
        assert (await authority.evaluate(question(to="eve", amount=90), CALLER, None)).decision
        assert (await authority.evaluate(question(to="eve", amount=0), CALLER, None)).decision
        await _asked(authority, to="eve", amount=0)  # the uses
        assert authority.approvals.show(wanted.id, BOB).state == "consumed"
        # Another agent's calls, and a policy that asks for other people, were never covered.
        return wanted.id

    _run(kit, scenario)


def test_a_capability_survives_a_restart_with_what_was_used(kit):
    """Uses and sum are those of the decisions on record; a permit that expired unused is given back."""

    async def first(authority):
        wanted = await authority.approvals.request_capability(_capability(), CALLER)
        await authority.approvals.answer(wanted.id, BOB, "", grant=True)
        assert (await authority.evaluate(question(to="bob", amount=100), CALLER, None)).decision
        return wanted.id

    capability = _run(kit, first)
    (kit.folder / "snapshot").unlink()

    async def second(authority):
        assert authority.approvals.show(capability, BOB).uses == 1
        await _asked(authority, to="bob", amount=99)
        kit.clock.shift_ms += 40_000
        await kit.until(lambda: authority.approvals.show(capability, BOB).uses == 0)
        assert (await authority.evaluate(question(to="bob", amount=99), CALLER, None)).decision

    _run(kit, second)


def test_nobody_uses_a_capability_that_is_their_own_yes(kit):
    """A person who granted it cannot have it used on their own behalf: somebody else has to say yes to that."""

    async def scenario(authority):
        wanted = await authority.approvals.request_capability(_capability(), CALLER)
        await authority.approvals.answer(wanted.id, BOB, "", grant=True)
        asked = question(to="bob", amount=1)
        for person, runs in (("bob", False), ("alice", True)):
            context = msgspec.structs.replace(asked.context, on_behalf_of=[person])
            answer = await authority.evaluate(msgspec.structs.replace(asked, context=context), CALLER, None)
            assert answer.decision is runs, person
            assert runs or answer.context.reason == "approval_required"

    _run(kit, scenario)


def test_many_calls_at_once_never_overspend_a_capability(kit):
    """Of forty calls at once exactly as many run as uses and sum allow."""

    async def scenario(authority):
        wanted = await authority.approvals.request_capability(_capability(max_uses=10), CALLER)
        await authority.approvals.answer(wanted.id, BOB, "", grant=True)
        asks = (authority.evaluate(question(to="bob", amount=40), CALLER, None) for _ in range(40))
        return sum(answer.decision for answer in await asyncio.gather(*asks))

    assert _run(kit, scenario) == 3


def test_the_end_of_a_task_revokes_its_approvals(kit):
    """What waits or was granted for the task is revoked on record; another task's goes on."""

    async def scenario(authority):
        def of_task(task, amount):
            request = question(to="bob", amount=amount)
            return msgspec.structs.replace(request, context=msgspec.structs.replace(request.context, task=Task(task)))

        mine = (await authority.evaluate(of_task("t1", 1), CALLER, None)).context.approval
        other = (await authority.evaluate(of_task("t2", 2), CALLER, None)).context.approval
        await authority.approvals.answer(mine.id, ALICE, "", grant=True)
        assert await authority.approvals.end_task("t1", "task ended") == 1
        assert authority.approvals.show(mine.id, ALICE).state == "revoked"
        assert authority.approvals.show(other.id, ALICE).state == "requested"
        assert not (await authority.evaluate(of_task("t1", 1), CALLER, None)).decision

    _run(kit, scenario)


def test_who_waits_is_told_at_once(kit):
    """The long poll returns with the answer, not with its deadline; without one it returns as things are."""

    async def scenario(authority):
        wanted = await _asked(authority)
        assert (await authority.approvals.wait(wanted.id, 0.05, CALLER)).state == "requested"
        waiting = asyncio.create_task(authority.approvals.wait(wanted.id, 20, CALLER))
        await asyncio.sleep(0.05)
        await authority.approvals.answer(wanted.id, ALICE, "", grant=True)
        async with asyncio.timeout(15):
            assert (await waiting).state == "granted"

    _run(kit, scenario)


def test_without_an_approval_in_play_nothing_is_asked(kit):
    """The positive control: what needs no approval is permitted at once, by policy."""

    async def scenario(authority):
        answer = await authority.evaluate(question("read", path="/x"), CALLER, None)
        assert answer.decision
        assert answer.context.approval is None
        assert authority.approvals.figures().requested == 0

    _run(kit, scenario)
