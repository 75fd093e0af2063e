"""Credentials of a served authority with a real PostgreSQL server: from the SDK, over kill -9, by the command line."""

import gc
import os
import signal
import time
import warnings

import pytest

from bench import postgres_server
from bench.credential_world import ask, credential, permit, world
from sealgate.demo.authority import run
from sealgate.sdk import Client, CredentialNotIssued, current_grant

pytestmark = [
    pytest.mark.skipif(postgres_server.binaries() is None, reason="PostgreSQL is not installed (scripts/servers)"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # pg8000 after a refused login
]


@pytest.fixture(autouse=True)
def _collect():
    """Let what a refused login left open go here, where its warning is expected."""
    yield
    gc.collect()


@pytest.fixture(scope="module", name="served")
def _served(tmp_path_factory):
    """Authority and database."""
    with warnings.catch_warnings(), world(tmp_path_factory.mktemp("c")) as both:
        yield both


def until(condition, timeout_s=60):
    """Wait for a condition."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_guarded_function_asks_for_its_credential(served, tmp_path):
    """`current_grant().credential(…)` inside the body; dead when the call is over; nothing outside of a body."""
    authority, database = served
    client = Client(agent="a1", server="shop", socket=authority.socket, spool=tmp_path / "spool", timeout_s=60)
    seen = []

    @client.guard
    def read_orders(since: int) -> int:
        grant = current_grant()
        given = grant.credential("db")
        assert given.secret["password"] not in repr(given)
        session = database.connect(given.secret["user"], given.secret["password"])
        seen.append(session)
        with pytest.raises(CredentialNotIssued, match="already"):
            grant.credential("db")
        with pytest.raises(CredentialNotIssued, match="no credential"):
            grant.credential("other")
        return session.run("SELECT count(*) FROM orders")[0][0] + since

    assert read_orders(41) == 42
    until(lambda: not database.roles())
    import pg8000

    with pytest.raises((pg8000.exceptions.InterfaceError, pg8000.exceptions.DatabaseError)):
        seen[0].run("SELECT 1")
    with pytest.raises(Exception, match="no guarded function"):
        current_grant()
    client.close()


def test_credentials_over_kill_9(served):
    """A live one is known after the restart, still works, and ends at its outcome."""
    authority, database = served
    decision = permit(authority.socket, "a1", 1)["record_id"]
    given = credential(authority.socket, decision, "db")
    session = database.connect(given["secret"]["user"], given["secret"]["password"])
    os.kill(authority.pid, signal.SIGKILL)
    authority.stop()
    authority.start()
    until(lambda: b'"ready":true' in authority.get("/readyz")[1].replace(b" ", b""))

    listed = ask(authority.socket, "GET", "/v1/credentials")[1]["credentials"]
    assert [(one["credential_id"], one["state"]) for one in listed] == [(given["credential_id"], "live")]
    assert session.run("SELECT count(*) FROM orders") == [[1]]
    report = {"decision_id": decision, "status": "succeeded", "duration_ms": 1}
    assert ask(authority.socket, "POST", "/v1/outcomes", report)[0] == 200
    until(lambda: not database.roles())


def test_the_command_line_lists_and_revokes(served):
    """`sealgate credential list|revoke`; no secret is shown."""
    authority, database = served
    decision = permit(authority.socket, "a1", 2)["record_id"]
    given = credential(authority.socket, decision, "db")

    shown = run("credential", "list", "--json", "--config", authority.configuration)
    assert given["credential_id"] in shown
    assert given["secret"]["password"] not in shown
    assert "is dead" in run("credential", "revoke", given["credential_id"], "--config", authority.configuration)
    assert not database.roles()
    assert "credentials" in run("doctor", "--config", authority.configuration)


def test_packages_and_trust_by_the_command_line(served):
    """Verify, install, score; the history shows it."""
    authority, _ = served
    where = ("--config", authority.configuration)
    run("package", "verify", "shop-mcp", "1.0", "--method", "checksum", "--result", "passed", "--score", "90", *where)
    run("package", "install", "shop-mcp", "1.0", "--agent", "a1", "--server", "shop", *where)
    run("trust", "score", "tool", "read_orders", "--level", "high", "--score", "80", "--reason", "review", *where)

    assert "shop-mcp" in run("package", "list", *where)
    assert '"trust_level": "high"' in run("trust", "history", "read_orders", "--json", *where)
    record = permit(authority.socket, "a1", 3)["record_id"]
    body = ask(authority.socket, "GET", f"/v1/receipts/{record}")[1]["body"]
    assert '"trust_level":"high"' in body
    assert '"verification_score":90' in body
