"""Tasks that end and delegations that only narrow, against the real authority; both survive restarts."""

import asyncio
import hashlib
import json

import msgspec
import pytest

from sealgate.encoding import canonical
from sealgate.model.delegations import Bound, DelegationRequest
from sealgate.model.errors import InputError, NotPermittedError
from sealgate.model.evaluation import Identity, RedeemRequest, Task
from sealgate.model.tasks import TaskRequest

from .conftest import bundle, question

NAMES = frozenset({"a1", "a2", "a3", "a4", "a5", "a6"})
CALLER = Identity(principal="tester", proof="unix_peer", agents=NAMES, roles=frozenset({"enforce"}))
ALICE = Identity(principal="alice", proof="oidc", issuer="https://idp.example.org")
EVE = Identity(principal="eve", proof="api_key", agents=frozenset({"e1"}), roles=frozenset({"enforce"}))

POLICIES = """
@id("pay-small") permit (principal, action == Action::"pay", resource) when { context.input.amount <= 100 };
@id("read") permit (principal, action == Action::"read", resource);
@id("never-mallory") forbid (principal, action == Action::"pay", resource) when { context.input.to == "mallory" };
@id("not-a2") forbid (principal == Agent::"a2", action == Action::"pay", resource) when { context.input.amount > 10 };
@id("not-for-bob") forbid (principal == User::"bob", action, resource);
@id("no-long-chains") forbid (principal, action == Action::"read", resource)
when { context.delegation has length && context.delegation.length > 2 };
"""


def run(kit, scenario, **options):
    """Run a scenario over a started authority."""

    async def life():
        authority = kit.build(**options)
        await authority.start()
        try:
            return await scenario(authority)
        finally:
            await authority.stop()

    return asyncio.run(life())


def ask(tool="pay", agent="a1", *, task=None, delegation=None, on_behalf_of=(), redeem=False, **arguments):
    """One question in a task, under a delegation."""
    asked = question(tool, agent, redeem=redeem, **arguments)
    context = msgspec.structs.replace(
        asked.context, task=Task(task) if task else None, delegation=delegation, on_behalf_of=list(on_behalf_of)
    )
    return msgspec.structs.replace(asked, context=context)


def redemption(answer, **arguments):
    """Redeem the permit of an answer."""
    digest = hashlib.sha256(canonical.encode_arguments(arguments or {"to": "bob", "amount": 5})).hexdigest()
    return RedeemRequest(answer.context.permit.token, "pay", digest)


class Listener:
    """What the authority tells who issued something for a task."""

    def __init__(self, *, fails=False):
        self.revoked = []
        self.fails = fails

    async def revoke_task(self, task_id):
        """Note it."""
        self.revoked.append(task_id)
        if self.fails:
            raise RuntimeError("away")


def test_what_is_asked_in_a_task_that_ended_is_denied(kit):
    """Before: PERMIT. After: DENY task_ended, permits out are refused and recorded, others go on, listeners know."""

    async def scenario(authority):
        broken, listener = Listener(fails=True), Listener()
        authority.when_task_ends(broken)
        authority.when_task_ends(listener)
        await authority.publish_policy(bundle(POLICIES), CALLER)
        started = await authority.start_task(TaskRequest(agent="a1", goal="pay the rent", id="t1"), CALLER)
        inside = await authority.evaluate(ask(task="t1"), CALLER, None)
        running = await authority.evaluate(ask(task="t1", redeem=True), CALLER, None)
        outside = await authority.evaluate(ask(task="t2"), CALLER, None)
        assert inside.decision
        assert running.decision
        ended = await authority.end_task(started.task_id, "done", CALLER)
        assert (ended.tasks, ended.permits_revoked) == (["t1"], 1)
        assert listener.revoked == broken.revoked == ["t1"]
        with pytest.raises(NotPermittedError) as refused:
            await authority.redeem(redemption(inside), CALLER)
        assert refused.value.code in {"permit-unknown", "task-ended"}
        after = await authority.evaluate(ask(task="t1"), CALLER, None)
        assert (after.decision, after.context.outcome, after.context.reason) == (False, "DENY", "task_ended")
        assert (await authority.redeem(redemption(outside), CALLER)).status == "redeemed"
        with pytest.raises(NotPermittedError):
            await authority.end_task("t1", "again", CALLER)
        with pytest.raises(NotPermittedError):
            await authority.start_task(TaskRequest(agent="a1", id="t1"), CALLER)
        return inside.context.record_id, kit.bodies()

    decision, bodies = run(kit, scenario)
    started = next(body for body in bodies if body["kind"] == "task.started")
    assert (started["task_id"], started["goal_claimed"], started["agent"]["id"]) == ("t1", "pay the rent", "a1")
    ended = [body for body in bodies if body["kind"] == "task.ended"]
    assert [(body["task_id"], body["cause"], body["reason"]) for body in ended] == [("t1", "ended", "done")]
    outcomes = [body for body in bodies if body["kind"] == "outcome"]
    assert [(body["decision_id"], body["status"], body["cause"]) for body in outcomes] == [
        (decision, "cancelled", "task_ended")
    ]


@pytest.mark.parametrize("snapshot", [True, False])
def test_tasks_and_delegations_survive_a_restart(kit, snapshot):
    """Open stays open, ended stays ended, granted stays granted, revoked stays revoked."""

    async def first(authority):
        await authority.publish_policy(bundle(POLICIES), CALLER)
        for name in ("open", "over"):
            await authority.start_task(TaskRequest(agent="a1", id=name), CALLER)
        await authority.end_task("over", "", CALLER)
        granted = await authority.grant_delegation(
            DelegationRequest(delegator="a3", delegate="a1", tools=["pay"]), CALLER
        )
        revoked = await authority.grant_delegation(
            DelegationRequest(delegator="a4", delegate="a1", tools=["pay"]), CALLER
        )
        await authority.revoke_delegation(revoked.delegation_id, "no", CALLER)
        return granted.delegation_id, revoked.delegation_id, authority.delegations(CALLER)

    granted, revoked, listed = run(kit, first)
    if not snapshot:
        (kit.folder / "snapshot").unlink()

    async def second(authority):
        assert [task.task_id for task in authority.tasks(CALLER)] == ["open"]
        assert authority.delegations(CALLER) == listed
        assert (await authority.evaluate(ask(task="open"), CALLER, None)).decision
        assert (await authority.evaluate(ask(task="over"), CALLER, None)).context.reason == "task_ended"
        assert (await authority.evaluate(ask(delegation=granted), CALLER, None)).decision
        assert (await authority.evaluate(ask(delegation=revoked), CALLER, None)).context.reason == "not_delegated"

    run(kit, second)


def test_a_permit_of_an_ended_task_is_taken_back_after_a_crash_too(kit):
    """The end is recorded, the machine dies before the permit is taken back: the next start does it."""

    async def first(authority):
        await authority.publish_policy(bundle(POLICIES), CALLER)
        await authority.start_task(TaskRequest(agent="a1", id="t1"), CALLER)
        answer = await authority.evaluate(ask(task="t1"), CALLER, None)

        async def dies():
            return 0

        authority._tasks.finish = dies
        await authority.end_task("t1", "", CALLER)
        return answer

    answer = run(kit, first)
    (kit.folder / "snapshot").unlink()

    async def second(authority):
        with pytest.raises(NotPermittedError):
            await authority.redeem(redemption(answer), CALLER)
        await kit.until(lambda: any(body["kind"] == "outcome" for body in kit.bodies()), timeout_s=60)
        return [body for body in kit.bodies() if body["kind"] == "outcome"]

    assert [(body["status"], body["cause"]) for body in run(kit, second)] == [("cancelled", "task_ended")]


def test_a_task_expires_by_itself_and_with_its_parent(kit):
    """When its time is over nothing is decided in it; a child ends with the task above it."""

    async def scenario(authority):
        await authority.publish_policy(bundle(POLICIES), CALLER)
        await authority.start_task(TaskRequest(agent="a1", id="short", expires_in_s=1000), CALLER)
        await authority.start_task(TaskRequest(agent="a1", id="above"), CALLER)
        await authority.start_task(TaskRequest(agent="a2", id="below", parent="above"), CALLER)
        assert (await authority.evaluate(ask(task="short"), CALLER, None)).decision
        assert (await authority.end_task("above", "", CALLER)).tasks == ["above", "below"]
        assert (await authority.evaluate(ask(agent="a2", task="below"), CALLER, None)).context.reason == "task_ended"
        kit.clock.shift_ms += 1_000_500
        assert (await authority.evaluate(ask(task="short"), CALLER, None)).context.reason == "task_ended"
        with pytest.raises(NotPermittedError):
            await authority.start_task(TaskRequest(agent="a1", parent="above"), CALLER)
        await kit.until(lambda: sum(body["kind"] == "task.ended" for body in kit.bodies()) == 3, timeout_s=60)
        return {body["task_id"]: body["cause"] for body in kit.bodies() if body["kind"] == "task.ended"}

    assert run(kit, scenario) == {"above": "ended", "below": "parent_ended", "short": "expired"}


def test_strangers_start_and_end_nothing(kit):
    """Who does not speak for the agent cannot; an operator can end."""

    async def scenario(authority):
        with pytest.raises(NotPermittedError):
            await authority.start_task(TaskRequest(agent="a1"), EVE)
        started = await authority.start_task(TaskRequest(agent="a1"), CALLER)
        with pytest.raises(NotPermittedError):
            await authority.end_task(started.task_id, "", EVE)
        assert authority.tasks(EVE) == []
        operator = Identity(principal="op", proof="unix_peer", roles=frozenset({"operate"}))
        assert authority.tasks(operator)[0].task_id == started.task_id
        await authority.end_task(started.task_id, "", operator)

    run(kit, scenario)


def test_a_chain_is_judged_at_every_link(kit):
    """Within: PERMIT with the chain on record. Beyond a bound, a tool, a forbid of a delegator: not. Never wider."""

    async def scenario(authority):
        await authority.publish_policy(bundle(POLICIES), CALLER)
        first = await authority.grant_delegation(
            DelegationRequest(
                delegator="alice",
                delegator_type="user",
                delegate="a3",
                tools=["pay", "read"],
                resources=["tool_server::bank"],
                bounds=[Bound(tool="pay", argument="amount", max="50")],
            ),
            ALICE,
        )
        second = await authority.grant_delegation(
            DelegationRequest(delegator="a3", delegate="a1", parent=first.delegation_id, tools=["pay"]), CALLER
        )
        assert second.depth == 2
        inside = await authority.evaluate(ask(delegation=second.delegation_id), CALLER, None)
        by_name = await authority.evaluate(ask(on_behalf_of=["alice", "a3"]), CALLER, None)
        assert inside.decision
        assert by_name.decision
        for refused in (
            ask(delegation=second.delegation_id, to="bob", amount=51),
            ask("read", delegation=second.delegation_id, path="x"),
            ask(agent="a4", delegation=second.delegation_id),
            ask(delegation=first.delegation_id),
            ask(delegation=inside.context.record_id),
        ):
            answer = await authority.evaluate(refused, CALLER, None)
            assert (answer.decision, answer.context.reason) == (False, "not_delegated"), answer
        with pytest.raises(InputError):
            await authority.evaluate(ask(delegation=second.delegation_id, on_behalf_of=["a3"]), CALLER, None)
        await authority.pause("a3", "look", CALLER)
        assert not (await authority.evaluate(ask(delegation=second.delegation_id), CALLER, None)).decision
        return second.delegation_id, first.delegation_id, inside.context.record_id, kit.bodies()

    second, first, decision, bodies = run(kit, scenario)
    body = next(body for body in bodies if body["record_id"] == decision)
    assert body["delegations"] == [first, second]
    assert body["agent"]["on_behalf_of"] == ["alice", "a3"]
    grants = [body for body in bodies if body["kind"] == "delegation.granted"]
    assert [body["agent"]["proof"] for body in grants] == ["oidc:https://idp.example.org", "unix_peer"]
    assert grants[1]["bounds"][0]["max"] == "50"


def test_an_agent_gives_away_only_what_it_may_itself(kit):
    """`a2` is forbidden more than 10: so is whoever acts for it, though it may more by itself. A person too."""

    async def scenario(authority):
        await authority.publish_policy(bundle(POLICIES), CALLER)
        granted = await authority.grant_delegation(
            DelegationRequest(delegator="a2", delegate="a1", tools=["*"]), CALLER
        )
        assert (await authority.evaluate(ask(to="bob", amount=20), CALLER, None)).decision
        assert (
            await authority.evaluate(ask(delegation=granted.delegation_id, to="bob", amount=5), CALLER, None)
        ).decision
        beyond = await authority.evaluate(ask(delegation=granted.delegation_id, to="bob", amount=20), CALLER, None)
        assert (beyond.context.outcome, beyond.context.policies) == ("DENY", ["not-a2"])
        claimed = await authority.evaluate(ask(on_behalf_of=["bob"]), CALLER, None)
        assert (claimed.context.outcome, claimed.context.policies) == ("DENY", ["not-for-bob"])
        assert (await authority.evaluate(ask(on_behalf_of=["carol"]), CALLER, None)).decision

    run(kit, scenario)


def test_where_claims_are_refused_only_a_delegation_will_do(kit):
    """The strict setting: an unproven name is a DENY, a proven one is not."""

    async def scenario(authority):
        authority._delegations._chains._unproven = "refuse"
        await authority.publish_policy(bundle(POLICIES), CALLER)
        assert (await authority.evaluate(ask(on_behalf_of=["a3"]), CALLER, None)).context.reason == "not_delegated"
        await authority.grant_delegation(DelegationRequest(delegator="a3", delegate="a1", tools=["pay"]), CALLER)
        assert (await authority.evaluate(ask(on_behalf_of=["a3"]), CALLER, None)).decision

    run(kit, scenario)


def test_revoking_takes_everything_below_and_permits_out(kit):
    """The chain is dead at once, a permit given under it is not redeemed; a delegation beside it lives."""

    async def scenario(authority):
        await authority.publish_policy(bundle(POLICIES), CALLER)

        async def grant(delegator, delegate, parent=None):
            request = DelegationRequest(delegator=delegator, delegate=delegate, parent=parent, tools=["pay", "read"])
            return (await authority.grant_delegation(request, CALLER)).delegation_id

        top = await grant("a3", "a4")
        middle = await grant("a4", "a5", top)
        last = await grant("a5", "a1", middle)
        beside = await grant("a6", "a1")
        permitted = await authority.evaluate(ask(delegation=last), CALLER, None)
        other = await authority.evaluate(ask(delegation=beside), CALLER, None)
        assert permitted.decision
        long = await authority.evaluate(ask("read", delegation=last, path="x"), CALLER, None)
        assert long.context.policies == ["no-long-chains"]
        assert (await authority.evaluate(ask("read", delegation=beside, path="x"), CALLER, None)).decision
        with pytest.raises(NotPermittedError):
            await authority.revoke_delegation(top, "mine?", EVE)
        assert set((await authority.revoke_delegation(top, "over", CALLER)).delegations) == {top, middle, last}
        assert not (await authority.evaluate(ask(delegation=last), CALLER, None)).decision
        with pytest.raises(NotPermittedError) as refused:
            await authority.redeem(redemption(permitted), CALLER)
        assert refused.value.code == "delegation-ended"
        await authority.redeem(redemption(other), CALLER)
        with pytest.raises(NotPermittedError):
            await grant("a4", "a5", top)

    run(kit, scenario)


def test_only_narrower_shorter_and_not_too_deep(kit):
    """Wider tools, resources, bounds, time, a fifth link, a circle, another's name: refused, nothing recorded."""

    async def scenario(authority):
        top = await authority.grant_delegation(
            DelegationRequest(
                delegator="a1",
                delegate="a2",
                tools=["pay"],
                resources=["tool_server::bank"],
                bounds=[Bound(tool="pay", argument="amount", max="50")],
                expires_in_s=100,
            ),
            CALLER,
        )
        good = {"delegator": "a2", "delegate": "a3", "parent": top.delegation_id}
        for bad in (
            {"tools": ["read"]},
            {"tools": ["*"]},
            {"tools": []},
            {"resources": ["tool_server::other"]},
            {"resources": ["*"]},
            {"bounds": [Bound(tool="pay", argument="amount", max="51")]},
            {"bounds": [Bound(tool="pay", argument="amount")]},
            {"bounds": [Bound(tool="pay", argument="amount", max="1e9")]},
            {"expires_in_s": 101},
            {"expires_in_s": 0},
            {"delegate": "a1"},
            {"delegate": "a2"},
            {"delegator_type": "user"},
        ):
            with pytest.raises((InputError, NotPermittedError)):
                await authority.grant_delegation(DelegationRequest(**{**good, **bad}), CALLER)
        with pytest.raises(NotPermittedError):
            await authority.grant_delegation(DelegationRequest(delegator="a1", delegate="e1", tools=["*"]), EVE)
        with pytest.raises(NotPermittedError):
            await authority.grant_delegation(
                DelegationRequest(delegator="alice", delegator_type="user", delegate="e1", tools=["*"]), EVE
            )
        parent = top.delegation_id
        for delegator, delegate in (("a2", "a3"), ("a3", "a4"), ("a4", "a5")):
            request = DelegationRequest(delegator=delegator, delegate=delegate, parent=parent)
            parent = (await authority.grant_delegation(request, CALLER)).delegation_id
        with pytest.raises(InputError, match="4 links"):
            await authority.grant_delegation(DelegationRequest(delegator="a5", delegate="a6", parent=parent), CALLER)
        kit.clock.shift_ms += 200_000
        with pytest.raises(NotPermittedError):
            await authority.grant_delegation(DelegationRequest(**good), CALLER)
        return [body for body in kit.bodies() if body["kind"] == "delegation.granted"]

    assert [body["depth"] for body in run(kit, scenario)] == [1, 2, 3, 4]


def test_a_delegation_for_a_task_ends_with_it(kit):
    """In the task: PERMIT. In another, in none, or after its end: not."""

    async def scenario(authority):
        await authority.publish_policy(bundle(POLICIES), CALLER)
        await authority.start_task(TaskRequest(agent="a1", id="t1"), CALLER)
        request = DelegationRequest(delegator="a3", delegate="a1", tools=["pay"], task="t1")
        granted = (await authority.grant_delegation(request, CALLER)).delegation_id
        assert (await authority.evaluate(ask(task="t1", delegation=granted), CALLER, None)).decision
        for task in (None, "t2"):
            answer = await authority.evaluate(ask(task=task, delegation=granted), CALLER, None)
            assert answer.context.reason == "not_delegated"
        await authority.end_task("t1", "", CALLER)
        assert authority.delegations(CALLER) == []

    run(kit, scenario)


def test_callers_cannot_say_what_the_delegation_is(kit):
    """The fact is the authority's: a caller that sends it is refused, whatever else is right."""

    async def scenario(authority):
        await authority.publish_policy(bundle(POLICIES), CALLER)
        asked = ask()
        context = msgspec.structs.replace(asked.context, facts={"delegation": {"length": 1}})
        with pytest.raises(InputError, match="authority's"):
            await authority.evaluate(msgspec.structs.replace(asked, context=context), CALLER, None)
        assert json.loads(msgspec.json.encode(asked))["context"]["facts"] == {}

    run(kit, scenario)
