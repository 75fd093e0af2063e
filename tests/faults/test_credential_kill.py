"""The authority killed by SIGKILL at each step of issuing and of ending a role of a real PostgreSQL server.

After the restart: what exists at the database is recorded and listed, what nobody received is dead, and nothing
outlives its permit. Without a kill the same steps give a role that works, and then is dead.
"""

import gc
import json
import os
import signal
import sys
import time
import warnings
from pathlib import Path

import pg8000
import pytest

from bench import postgres_server
from bench.credential_world import ask, credential, permit, world
from bench.owning import wait_until_nobody_owns
from bench.sealed_records import bodies
from sealgate.cli.init import JOURNAL
from sealgate.demo.authority import Authority
from sealgate.sdk import AuthorityUnreachable

CHILD = Path(__file__).with_name("credential_child.py")
REFUSED = (pg8000.exceptions.DatabaseError, pg8000.exceptions.InterfaceError)
BRIEF = """
[[credential]]
name = "brief"
kind = "postgres"
address = "{address}"
database = "shop"
user = "broker"
secret = "file:keys/database"
tls = "off"
grants = ["select on table public.orders"]
tools = ["read_orders"]
lifetime_s = 10
"""
END = {
    "outcome": '/v1/outcomes {{"decision_id": "{decision}", "status": "succeeded", "duration_ms": 1}}',
    "agent_paused": '/v1/agents/{agent}/pause {{"reason": "odd"}}',
    "task_ended": "/v1/tasks/{task}/end {{}}",
    "operator": "/v1/credentials/{credential}/revoke {{}}",
}

pytestmark = [
    pytest.mark.skipif(postgres_server.binaries() is None, reason="PostgreSQL is not installed (scripts/servers)"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # pg8000 after a refused login
    pytest.mark.slow,
    pytest.mark.timeout(600),
]


class Killed(Authority):
    """An authority that dies where the file ``plan`` says."""

    def _command(self):
        return [sys.executable, CHILD, self.folder.parent, "serve", "--alone", "--config", self.configuration]

    def start(self):
        """Start again once nothing of the one that died holds the journal any more."""
        wait_until_nobody_owns(self.data / JOURNAL)
        super().start()

    def plan(self, text):
        """Say where it dies; None: nowhere. In one step, as the authority may be reading it just now."""
        path = self.folder.parent / "plan"
        path.with_name("plan.new").write_text(text or "", "utf-8")
        path.with_name("plan.new").replace(path)

    def steps(self):
        """Return what was reached since the last time somebody asked."""
        path = self.folder.parent / "steps"
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        path.unlink(missing_ok=True)
        return lines

    def is_dead(self):
        """Tell whether it does not run any more."""
        return self._process.poll() is not None

    def died(self):
        """Tell whether it was killed, waiting for the kernel to say so."""
        return self._process.wait(60) == -signal.SIGKILL


@pytest.fixture(autouse=True)
def _collect():
    """Let what a refused login left open go here, where its warning is expected."""
    yield
    gc.collect()


@pytest.fixture(scope="module", name="served")
def _served(tmp_path_factory):
    """Authority and database."""
    with warnings.catch_warnings(), world(tmp_path_factory.mktemp("k"), Killed) as (authority, database):
        with authority.configuration.open("a", encoding="utf-8") as file:
            file.write(BRIEF.format(address=f"{database.folder}:{postgres_server.PORT}"))
        authority.stop()
        authority.start()
        yield authority, database


def until(condition, timeout_s=60):
    """Wait for a condition."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def listed(authority):
    """What the authority says may be alive, by id."""
    return {
        one["credential_id"]: one["state"] for one in ask(authority.socket, "GET", "/v1/credentials")[1]["credentials"]
    }


def ids(database):
    """The credential ids of the roles that exist, without hyphens."""
    return {role.rpartition("_")[2] for role in database.roles()}


def settled(authority, database):
    """Tell whether what exists is exactly what the authority says is alive."""
    said = listed(authority)
    return set(said.values()) <= {"live"} and ids(database) == {name.replace("-", "") for name in said}


def over_with(authority, database):
    """Tell whether nothing is alive any more, as far as the authority still answers."""
    try:
        return not listed(authority) and not database.roles()
    except AuthorityUnreachable:
        return False


def report(authority, decision):
    """Report the outcome of a decision."""
    ask(authority.socket, "POST", "/v1/outcomes", {"decision_id": decision, "status": "succeeded", "duration_ms": 1})


def end(authority, asked):
    """Ask for an end; tell whether that was answered with success."""
    path, _, body = asked.partition(" ")
    try:
        return ask(authority.socket, "POST", path, json.loads(body))[0] == 200
    except AuthorityUnreachable:
        return False


def works(database, secret):
    """Tell whether somebody who has this secret gets in."""
    try:
        session = database.connect(secret["user"], secret["password"])
    except REFUSED:
        return False
    try:
        return session.run("SELECT count(*) FROM orders") == [[1]]
    finally:
        session.close()


def test_without_a_kill_it_works_and_then_is_dead(served):
    """The positive control, and the steps that the other tests kill before."""
    authority, database = served
    authority.steps()
    decision = permit(authority.socket, "a1", 1)["record_id"]
    given = credential(authority.socket, decision, "db")
    assert works(database, given["secret"])
    report(authority, decision)
    until(lambda: not database.roles() and not listed(authority))
    assert not works(database, given["secret"])
    steps = [line.split(" ", 2)[2] for line in authority.steps()]
    for name in ("before credential.requested", "after credential.issued", "before the answer", "before outcome"):
        assert name in steps
    assert {"before ['CREATE', 'ROLE']", "before ['DROP', 'ROLE']"} <= set(steps)


def test_killed_at_each_step_of_issuing(served):
    """Nobody has the secret: after the restart it is dead, or recorded, listed and dead with its permit."""
    authority, database = served
    point, left, over = 1, 0, False
    while not over:
        authority.plan(f"issue {point}")
        decision = permit(authority.socket, "a1", 1000 + point)["record_id"]
        try:
            given = credential(authority.socket, decision, "db")
            over = True  # more steps than there are
        except AuthorityUnreachable:
            assert authority.died(), point
            authority.stop()
            left += bool(database.roles())
            authority.plan(None)
            authority.start()
            until(lambda: settled(authority, database))
        report(authority, decision)
        until(lambda: not database.roles() and not listed(authority))
        point += 1
    assert not works(database, given["secret"])
    assert point > 10
    assert left >= 3  # before `issued`, after it, before the answer: there was something to end


@pytest.mark.parametrize("cause", ["outcome", "agent_paused", "task_ended", "operator"])
def test_killed_at_each_step_of_ending(served, cause):
    """What was answered holds after the restart; what was not may be asked for again. An outcome needs no asking."""
    authority, database = served
    point, kills, over = 1, 0, False
    every = 1 if os.environ.get("SEALGATE_EVERY_KILL") else 3 if cause == "outcome" else 4
    while not over:
        agent = f"{cause}-{point}"
        task = ask(authority.socket, "POST", "/v1/tasks", {"agent": agent})[1]["task_id"]
        decision = permit(authority.socket, agent, point, task)["record_id"]
        given = credential(authority.socket, decision, "db")
        session = database.connect(given["secret"]["user"], given["secret"]["password"])
        assert session.run("SELECT count(*) FROM orders") == [[1]]
        asked = END[cause].format(agent=agent, task=task, credential=given["credential_id"], decision=decision)
        authority.plan(f"end {point}")
        answered = end(authority, asked)
        # Asked twice: one that dies in the step right behind its last record may have answered before.
        until(lambda: authority.is_dead() or (over_with(authority, database) and over_with(authority, database)))
        over = not authority.is_dead()
        if not over:
            kills += 1
            authority.stop()
            authority.plan(None)
            authority.start()
            if not answered and cause != "outcome":
                until(lambda asked=asked: end(authority, asked) or not listed(authority))
        until(lambda: not database.roles() and not listed(authority))
        with pytest.raises(REFUSED):
            session.run("SELECT 1")
        assert not works(database, given["secret"])
        point += every
    assert kills >= (10 if every == 1 else 3)


def test_what_expires_while_the_authority_is_down(served):
    """No login after the expiry, by PostgreSQL's own clock; the open session ends with the next start."""
    authority, database = served
    authority.plan(None)
    decision = permit(authority.socket, "a1", 3)["record_id"]
    given = credential(authority.socket, decision, "brief")
    session = database.connect(given["secret"]["user"], given["secret"]["password"])
    os.kill(authority.pid, signal.SIGKILL)
    assert works(database, given["secret"])
    until(lambda: not works(database, given["secret"]))
    assert session.run("SELECT count(*) FROM orders") == [[1]]  # said on the page of credentials
    authority.stop()
    authority.start()
    until(lambda: not database.roles() and not listed(authority))
    with pytest.raises(REFUSED):
        session.run("SELECT 1")


def test_every_credential_has_its_beginning_and_its_end_on_record(served):
    """After all these kills: each was requested before it was issued, and each was revoked."""
    authority, _ = served
    authority.plan(None)
    authority.stop()
    events = [body for body in bodies(authority.configuration) if body.get("kind", "").startswith("credential.")]
    of_kind = {
        kind: [body["credential_id"] for body in events if body["kind"] == f"credential.{kind}"]
        for kind in ("requested", "issued")
    }
    revoked = [body for body in events if body["kind"] == "credential.revoked" and body["result"] == "revoked"]
    assert len(of_kind["requested"]) > 30
    assert len(set(of_kind["issued"])) == len(of_kind["issued"])
    assert set(of_kind["issued"]) <= set(of_kind["requested"])
    assert {body["credential_id"] for body in revoked} == set(of_kind["requested"])
    assert {body["decision_id"] for body in revoked if body["cause"] != "restart"} != {None}
