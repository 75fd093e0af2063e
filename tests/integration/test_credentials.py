"""The broker in a real authority: who gets a credential, when it ends, what a crash leaves, what is recorded."""

import asyncio
import hashlib
import json
import os
import threading
import time

import msgspec
import pytest

from sealgate.adapters.credentials.tokens import TokenBackend, TokenMaker
from sealgate.adapters.keys.file import FileSigner
from sealgate.authority import credential_endings
from sealgate.authority.credential_sources import Source
from sealgate.encoding import canonical
from sealgate.model.credentials import CredentialRequest
from sealgate.model.delegations import DelegationRequest
from sealgate.model.errors import InputError, NotPermittedError, UnavailableError
from sealgate.model.evaluation import Context, Identity, OutcomeRequest, RedeemRequest, Task
from sealgate.model.tasks import TaskRequest
from sealgate.ports.credentials import Secret

from .conftest import CALLER, question

ARGUMENTS = hashlib.sha256(canonical.encode_arguments({"to": "bob", "amount": 5})).hexdigest()
STRANGER = Identity(principal="stranger", proof="unix_peer", agents=frozenset({"a9"}), roles=frozenset({"enforce"}))
OPERATOR = Identity(principal="op", proof="unix_peer", agents=frozenset(), roles=frozenset({"operate"}))
POLICIES = """
@id("pay") @obligation("credential:db") permit (principal, action == Action::"pay", resource);
@id("read") permit (principal, action == Action::"read", resource);
"""
SECRET = "s3cret-of-the-database"


class Database:
    """A backend over a dictionary that outlives authorities, as a server does. ``fails`` and ``slow`` are its moods."""

    kind = "postgres"
    audiences = ("reports", "orders")
    scopes = ("read", "write")

    def __init__(self):
        self.alive = {}
        self.revocations = []
        self.fails = 0
        self.go = threading.Event()
        self.go.set()
        self.started = threading.Event()
        self.dies = False

    def issue(self, order):
        """Make one."""
        self.started.set()
        self.go.wait(100)
        self.alive[order.credential_id] = order
        if self.dies:
            raise UnavailableError("the connection broke after the statement")
        return Secret({"password": SECRET})

    def revoke(self, ended):
        """End one."""
        if self.fails:
            self.fails -= 1
            raise UnavailableError("the database is down")
        self.revocations.append(ended.credential_id)
        self.alive.pop(ended.credential_id, None)
        return "revoked"

    def live(self):
        """List all."""
        return list(self.alive)

    def close(self):
        """Nothing is open."""


@pytest.fixture(name="database")
def _database():
    """A fresh database."""
    return Database()


def build(kit, database, **options):
    """Build authorities of this kit with the credential `db`, and `mapped` for the tool `read`."""
    tokens = TokenBackend(TokenMaker(FileSigner(os.urandom(32)), "https://gate"), audiences=("x",))
    sources = (
        Source("db", database, lifetime_ms=60_000),
        Source("mapped", tokens, frozenset({"read"}), lifetime_ms=60_000),
    )
    return kit.started(policies=POLICIES, credentials=sources, **options)


async def permit(authority, **more):
    """A redeemed PERMIT's decision id."""
    answer = await authority.evaluate(question(redeem=True, **more), CALLER, None)
    assert answer.decision, answer
    return answer.context.record_id


async def outcome(authority, decision_id):
    """Report success."""
    await authority.report_outcome(OutcomeRequest(decision_id, "succeeded", 1), CALLER)


def events(kit):
    """The records about credentials."""
    return [body for body in kit.bodies() if body and body["kind"].startswith("credential.")]


def run(scenario):
    """Run a scenario."""
    return asyncio.run(scenario())


async def crash(authority, kit):
    """Kill -9: nothing is told to anybody."""
    authority._housekeeping.cancel()
    authority._parts.publisher.stop()
    authority.broker._endings.start = lambda *_: None
    for task in list(authority.broker._endings._under_way.values()):
        task.cancel()
    kit.journal.close()
    authority._parts.close()


def test_a_credential_lives_from_permit_to_outcome(kit, database):
    """Records stand before the secret and after the revocation; the secret is in none of them."""

    async def scenario():
        authority = await build(kit, database)
        decision = await permit(authority)
        given = await authority.issue_credential(CredentialRequest("db", decision_id=decision), CALLER)
        assert dict(given.secret) == {"password": SECRET}
        assert given.credential_id in database.alive
        kinds = [event["kind"] for event in events(kit)]
        assert kinds == ["credential.requested", "credential.issued"]
        assert [view.state for view in authority.credentials()] == ["live"]
        await outcome(authority, decision)
        await kit.until(lambda: not authority.credentials())
        assert not database.alive
        last = events(kit)[-1]
        everything = json.dumps(kit.bodies())
        await authority.stop()
        return last, everything

    last, everything = run(scenario)

    assert (last["kind"], last["cause"], last["result"]) == ("credential.revoked", "outcome", "revoked")
    assert SECRET not in everything


def test_an_unredeemed_permit_gets_it_by_its_token(kit, database):
    """Before the redemption as well; it ends when nobody redeems the permit in time."""

    async def scenario():
        authority = await build(kit, database)
        answer = await authority.evaluate(question(), CALLER, None)
        token = answer.context.permit.token
        given = await authority.issue_credential(CredentialRequest("db", permit=token), CALLER)
        assert given.expires_at <= answer.context.permit.expires_at
        kit.clock.shift_ms += 31_000
        await kit.until(lambda: not authority.credentials())
        causes = [event.get("cause") for event in events(kit)]
        await authority.stop()
        return causes

    assert run(scenario)[-1] in ("expired", "permit_expired")


async def refused(authority, request, caller=CALLER):
    """The code of a refusal."""
    with pytest.raises(NotPermittedError) as caught:
        await authority.issue_credential(request, caller)
    return caught.value.code


def test_who_gets_none(kit, database):
    """Each refusal has its code and its record; each has its positive control in the same world."""

    async def scenario():
        authority = await build(kit, database)
        pay = await permit(authority)
        read = await permit(authority, tool="read", path="x")
        forged = (await authority.evaluate(question(), CALLER, None)).context.permit.token[:-4] + "AAAA"
        ask = CredentialRequest
        codes = [
            await refused(authority, ask("db", decision_id=pay), STRANGER),
            await refused(authority, ask("db", permit=forged)),
            await refused(authority, ask("db", decision_id="00000000-0000-7000-8000-000000000000")),
            await refused(authority, ask("none", decision_id=pay)),
            await refused(authority, ask("db", decision_id=read)),
            await refused(authority, ask("mapped", decision_id=pay)),
            await refused(authority, ask("db", decision_id=pay, audience="else")),
            await refused(authority, ask("db", decision_id=pay, scope=["read", "admin"])),
            await refused(authority, ask("db", decision_id=pay, confirmation={"jkt": "A" * 43})),
        ]
        for request in (ask("db"), ask("db", decision_id=pay, permit=forged)):
            with pytest.raises(InputError):
                await authority.issue_credential(request, CALLER)
        assert not database.alive
        await authority.issue_credential(ask("db", decision_id=pay, audience="orders", scope=["read"]), CALLER)
        await authority.issue_credential(ask("mapped", decision_id=read, confirmation={"jkt": "A" * 43}), CALLER)
        codes.append(await refused(authority, ask("db", decision_id=pay)))
        await outcome(authority, pay)
        codes.append(await refused(authority, ask("db", decision_id=pay)))
        recorded = [event["refusal"] for event in events(kit) if event["kind"] == "credential.refused"]
        await authority.stop()
        return codes, recorded

    codes, recorded = run(scenario)

    not_allowed = ["credential-not-allowed"] * 5
    assert codes == [*["permit-unknown"] * 3, "credential-unknown", *not_allowed, "credential-live", "permit-unknown"]
    assert recorded == codes


def test_a_pause_ends_all_and_refuses_new_ones(kit, database):
    """At once, tokens and roles, of this agent alone; after `resume` new ones are given."""

    async def scenario():
        authority = await build(kit, database)
        decisions = [await permit(authority) for _ in range(3)]
        other = await permit(authority, agent="a2")
        for decision in [*decisions, other]:
            await authority.issue_credential(CredentialRequest("db", decision_id=decision), CALLER)
        read = await permit(authority, tool="read", path="x")
        token = await authority.issue_credential(CredentialRequest("mapped", decision_id=read), CALLER)
        started = time.monotonic()
        pausing = asyncio.ensure_future(authority.pause("a1", "odd", CALLER))
        await asyncio.sleep(0)
        assert token.credential_id in {one.jti for one in authority.revoked_tokens().revoked}
        await pausing
        await kit.until(lambda: len(database.alive) == 1)
        took = time.monotonic() - started
        code = await refused(authority, CredentialRequest("db", decision_id=decisions[0]))
        await authority.resume("a1", CALLER)
        await kit.until(lambda: len(authority.credentials()) == 1)
        await authority.issue_credential(CredentialRequest("db", decision_id=decisions[0]), CALLER)
        await authority.stop()
        return took, code

    took, code = run(scenario)

    assert took < 20  # and by themselves they would live for a minute
    assert code == "agent-paused"


@pytest.mark.parametrize("what", ["pause", "outcome"])
def test_what_ends_while_the_backend_works_is_not_handed_out(kit, database, what):
    """The race of issue against pause and outcome: refused, and dead at the backend afterwards."""

    async def scenario():
        authority = await build(kit, database)
        decision = await permit(authority)
        database.go.clear()
        asking = asyncio.ensure_future(
            authority.issue_credential(CredentialRequest("db", decision_id=decision), CALLER)
        )
        await asyncio.to_thread(database.started.wait, 60)
        await (authority.pause("a1", "odd", CALLER) if what == "pause" else outcome(authority, decision))
        assert not database.revocations  # it would come too early
        database.go.set()
        with pytest.raises(NotPermittedError):
            await asking
        await kit.until(lambda: not authority.credentials())
        assert database.revocations
        assert not database.alive
        await authority.stop()

    run(scenario)


def test_of_many_requests_one_is_served(kit, database):
    """Fifty at once for one permit and name."""

    async def scenario():
        authority = await build(kit, database)
        decision = await permit(authority)
        request = CredentialRequest("db", decision_id=decision)
        answers = await asyncio.gather(
            *(authority.issue_credential(request, CALLER) for _ in range(50)), return_exceptions=True
        )
        await authority.stop()
        return answers

    answers = run(scenario)

    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert {answer.code for answer in answers if isinstance(answer, BaseException)} == {"credential-live"}


def test_a_caller_that_goes_away_leaves_nothing_alive(kit, database):
    """The answer reached nobody, so the credential ends."""

    async def scenario():
        authority = await build(kit, database)
        decision = await permit(authority)
        database.go.clear()
        asking = asyncio.ensure_future(
            authority.issue_credential(CredentialRequest("db", decision_id=decision), CALLER)
        )
        await asyncio.to_thread(database.started.wait, 60)
        asking.cancel()
        await asyncio.sleep(0)
        database.go.set()
        await kit.until(lambda: database.revocations and not authority.credentials())
        assert not database.alive
        await authority.stop()

    run(scenario)


def test_a_backend_that_fails_half_way_is_cleaned_up(kit, database):
    """It raised after the role was made: refused, recorded, revoked."""

    async def scenario():
        authority = await build(kit, database)
        decision = await permit(authority)
        database.dies = True
        with pytest.raises(UnavailableError, match="broke"):
            await authority.issue_credential(CredentialRequest("db", decision_id=decision), CALLER)
        await kit.until(lambda: not database.alive and not authority.credentials())
        kinds = [event["kind"] for event in events(kit)]
        database.dies = False
        await authority.issue_credential(CredentialRequest("db", decision_id=decision), CALLER)
        await authority.stop()
        return kinds

    assert sorted(run(scenario)) == ["credential.refused", "credential.requested", "credential.revoked"]


def test_a_failing_revocation_is_retried_and_visible(kit, database):
    """Readiness, metrics, the list and a record say so until it is done; decisions go on."""

    async def scenario():
        authority = await build(kit, database)
        decision = await permit(authority)
        await authority.issue_credential(CredentialRequest("db", decision_id=decision), CALLER)
        database.fails = 2
        await outcome(authority, decision)
        await kit.until(lambda: authority.broker.views.problem() is not None)
        ready = authority.readiness()
        assert "the database is down" in ready["checks"]["credentials"]
        assert ready["ready"]
        assert authority.metrics()["sealgate_credentials_revocations_failing"] == 1
        assert authority.credentials()[0].problem == "the database is down"
        await kit.until(lambda: not database.alive and not authority.credentials())
        assert authority.readiness()["checks"]["credentials"] == "ok"
        assert authority.metrics()["sealgate_credentials_failures_total"] == 2
        results = [event["result"] for event in events(kit) if event["kind"] == "credential.revoked"]
        await authority.stop()
        return results

    assert run(scenario) == ["failing", "revoked"]


def test_an_operator_and_the_agent_may_end_one_and_nobody_else(kit, database, monkeypatch):
    """By id; a stranger learns nothing; a second time there is nothing."""
    monkeypatch.setattr(credential_endings, "_WAIT_S", 60)  # however long the disk takes for the record of it

    async def scenario():
        authority = await build(kit, database)
        for caller in (OPERATOR, CALLER):
            decision = await permit(authority)
            given = await authority.issue_credential(CredentialRequest("db", decision_id=decision), CALLER)
            with pytest.raises(NotPermittedError, match="no such credential"):
                await authority.revoke_credential(given.credential_id, STRANGER)
            done = await authority.revoke_credential(given.credential_id, caller)
            assert done.state == "revoked"
            assert not database.alive
            with pytest.raises(NotPermittedError, match="no such credential"):
                await authority.revoke_credential(given.credential_id, caller)
        await authority.stop()

    run(scenario)


def test_a_task_takes_its_credentials_with_it(kit, database):
    """Those of the task end, others stay."""

    async def scenario():
        authority = await build(kit, database)
        kept = await permit(authority)
        asked = question(redeem=True)
        of_task = Context(input=asked.context.input, redeem=True, task=Task("t1"))
        answer = await authority.evaluate(
            type(asked)(asked.subject, asked.action, asked.resource, of_task), CALLER, None
        )
        for decision in (kept, answer.context.record_id):
            await authority.issue_credential(CredentialRequest("db", decision_id=decision), CALLER)
        await authority.broker.revoke_task("t1")
        await kit.until(lambda: len(authority.credentials()) == 1)
        assert len(database.alive) == 1
        assert [view.decision_id for view in authority.credentials()] == [kept]
        await authority.stop()

    run(scenario)


class HeldDisk:
    """A journal whose records become durable when ``go`` says so; everything else is the real one's."""

    def __init__(self, journal):
        self._journal = journal
        self._held = []
        self.holds = False

    def __getattr__(self, name):
        return getattr(self._journal, name)

    def append(self, record, completion, **how):
        """Append, and keep the news of it back."""
        self._journal.append(record, self._keep(completion) if self.holds else completion, **how)

    def _keep(self, completion):
        return lambda *told: self._held.append((completion, told)) if self.holds else completion(*told)

    def go(self):
        """Let it be known."""
        self.holds = False
        for completion, told in self._held:
            completion(*told)


def test_the_end_of_a_task_does_not_wait_for_a_disk(kit, database):
    """Its credentials are dead while the record of the end is still on its way."""

    async def scenario():
        authority = await build(kit, database, wrap_journal=HeldDisk)
        asked = question(redeem=True)
        await authority.start_task(TaskRequest(agent="a1", id="t1"), CALLER)
        context = Context(input=asked.context.input, redeem=True, task=Task("t1"))
        answer = await authority.evaluate(
            type(asked)(asked.subject, asked.action, asked.resource, context), CALLER, None
        )
        await authority.issue_credential(CredentialRequest("db", decision_id=answer.context.record_id), CALLER)
        assert database.alive
        kit.journal.holds = True
        ending = asyncio.ensure_future(authority.end_task("t1", "", CALLER))
        await kit.until(lambda: not database.alive)
        assert not ending.done()
        kit.journal.go()
        await ending
        again = CredentialRequest("db", decision_id=answer.context.record_id)
        codes = [await refused(authority, again)]  # the action runs on, and gets nothing more
        await authority.stop()
        return codes

    assert run(scenario) == ["task-ended"]


@pytest.mark.parametrize("how", ["revoked", "paused", "expired"])
def test_a_delegation_takes_its_credentials_with_it(kit, database, how):
    """Revoked, its delegator paused, or its time over: what was issued under it ends, nothing new is issued."""

    async def scenario():
        authority = await build(kit, database)
        wanted = DelegationRequest(delegator="a1", delegate="a2", tools=["pay"], expires_in_s=600)
        link = (await authority.grant_delegation(wanted, CALLER)).delegation_id
        kept = await permit(authority, agent="a2")
        asked = question(agent="a2", redeem=True)
        context = Context(input=asked.context.input, redeem=True, delegation=link)
        answer = await authority.evaluate(
            type(asked)(asked.subject, asked.action, asked.resource, context), CALLER, None
        )
        assert answer.decision, answer
        for decision in (kept, answer.context.record_id):
            await authority.issue_credential(CredentialRequest("db", decision_id=decision), CALLER)
        if how == "revoked":
            await authority.revoke_delegation(link, "over", CALLER)
        elif how == "paused":
            await authority.pause("a1", "odd", OPERATOR)
        else:
            authority._parts.memory.delegations[link] = msgspec.structs.replace(
                authority._parts.memory.delegations[link], expires_ms=0
            )
        await kit.until(lambda: len(database.alive) == 1 and len(authority.credentials()) == 1)
        assert [view.decision_id for view in authority.credentials()] == [kept]
        cause = events(kit)[-1]["cause"]
        code = await refused(authority, CredentialRequest("db", decision_id=answer.context.record_id))
        await authority.stop()
        return cause, code

    assert run(scenario) == ("delegation_ended", "delegation-ended")


def test_an_end_that_takes_long_is_not_forgotten(kit, database, monkeypatch):
    """An operator was told `pending`: a crash then does not bring the credential back."""
    monkeypatch.setattr(credential_endings, "_WAIT_S", 0.05)
    slow = threading.Event()
    end_at_once = database.revoke
    database.revoke = lambda ended: slow.wait(100) and end_at_once(ended)

    async def scenario():
        authority = await build(kit, database)
        decision = await permit(authority)
        given = await authority.issue_credential(CredentialRequest("db", decision_id=decision), CALLER)
        assert (await authority.revoke_credential(given.credential_id, OPERATOR)).state == "pending"
        await crash(authority, kit)
        assert database.alive
        database.revoke = end_at_once
        slow.set()
        authority = await build(kit, database)
        await kit.until(lambda: not database.alive and not authority.credentials())
        last = events(kit)[-1]
        await authority.stop()
        return last

    last = run(scenario)

    assert (last["cause"], last["result"]) == ("operator", "revoked")


@pytest.mark.parametrize("gracefully", [True, False])
def test_credentials_over_a_restart(kit, database, gracefully):
    """The live one goes on and ends at its outcome; the one whose outcome is known ends at the start."""

    async def scenario():
        authority = await build(kit, database)
        decision, over = await permit(authority), await permit(authority)
        for one in (decision, over):
            await authority.issue_credential(CredentialRequest("db", decision_id=one), CALLER)
        database.fails = 1_000_000
        await outcome(authority, over)
        await kit.until(lambda: authority.broker.views.problem() is not None)
        await kit.until(lambda: events(kit)[-1]["kind"] == "credential.revoked")
        await (authority.stop() if gracefully else crash(authority, kit))
        database.fails = 0

        authority = await build(kit, database)
        await kit.until(lambda: len(authority.credentials()) == 1)
        assert len(database.alive) == 1
        assert [view.decision_id for view in authority.credentials()] == [decision]
        assert await refused(authority, CredentialRequest("db", decision_id=decision)) == "credential-live"
        await outcome(authority, decision)
        await kit.until(lambda: not database.alive and not authority.credentials())
        await authority.stop()

    run(scenario)


def test_a_crash_between_backend_and_record_leaves_nothing_alive(kit, database):
    """Kill -9 after the role was made and before `credential.issued`: the next start ends it, by its record."""

    async def scenario():
        authority = await build(kit, database)
        decision = await permit(authority)
        database.go.clear()
        asking = asyncio.ensure_future(
            authority.issue_credential(CredentialRequest("db", decision_id=decision), CALLER)
        )
        await asyncio.to_thread(database.started.wait, 60)
        await crash(authority, kit)
        asking.cancel()
        database.go.set()
        await kit.until(lambda: len(database.alive) == 1)

        authority = await build(kit, database)
        await kit.until(lambda: not database.alive and not authority.credentials())
        last = events(kit)[-1]
        await authority.issue_credential(CredentialRequest("db", decision_id=decision), CALLER)
        await authority.stop()
        return last

    last = run(scenario)

    assert (last["kind"], last["cause"], last["result"]) == ("credential.revoked", "restart", "revoked")


def test_what_a_backend_has_and_no_record_knows_is_ended(kit, database):
    """A journal tail was lost, or a role was made late: the listing finds it; a live one stays."""

    async def scenario():
        database.alive["0192aaaa-0000-7000-8000-000000000000"] = None
        authority = await build(kit, database)
        decision = await permit(authority)
        await authority.issue_credential(CredentialRequest("db", decision_id=decision), CALLER)
        await kit.until(lambda: len(events(kit)) == 3 and len(authority.credentials()) == 1)
        assert len(database.alive) == 1
        stray = [event for event in events(kit) if event["kind"] == "credential.revoked"]
        await authority.stop()
        return stray

    assert [event["decision_id"] for event in run(scenario)] == [None]


def test_revoked_tokens_are_listed_until_they_expire(kit, database):
    """Over a crash too: a verifier must not take it again."""

    async def scenario():
        authority = await build(kit, database)
        read = await permit(authority, tool="read", path="x")
        token = await authority.issue_credential(CredentialRequest("mapped", decision_id=read), CALLER)
        assert not authority.revoked_tokens().revoked
        await outcome(authority, read)
        await kit.until(lambda: not authority.credentials())
        await crash(authority, kit)
        authority = await build(kit, database)
        listed = [one.jti for one in authority.revoked_tokens().revoked]
        kit.clock.shift_ms = 200_000
        await kit.until(lambda: not authority.revoked_tokens().revoked)
        await authority.stop()
        return listed, token

    listed, token = run(scenario)

    assert listed == [token.credential_id]


def test_redeeming_keeps_the_credential(kit, database):
    """Asked for with the permit's token before the redemption; it serves the action and ends with it."""

    async def scenario():
        authority = await build(kit, database)
        answer = await authority.evaluate(question(), CALLER, None)
        token = answer.context.permit.token
        await authority.issue_credential(CredentialRequest("db", permit=token), CALLER)
        await authority.redeem(RedeemRequest(token, "pay", ARGUMENTS), CALLER)
        assert len(database.alive) == 1
        await outcome(authority, answer.context.record_id)
        await kit.until(lambda: not database.alive)
        await authority.stop()

    run(scenario)
