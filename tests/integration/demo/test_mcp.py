"""The demo as ``make demo`` runs it, what it checks, and that its checks can fail."""

import json
import subprocess
import sys

import pytest

from sealgate.demo.mcp import servers
from sealgate.demo.mcp import stop as stopping
from sealgate.demo.mcp.approval import approval
from sealgate.demo.mcp.home import SECRET
from sealgate.demo.mcp.hostile import hostile
from sealgate.demo.mcp.stop import stop
from sealgate.demo.mcp.work import work
from sealgate.demo.mcp.world import world

pytestmark = pytest.mark.timeout(600)

PERMIT_ALL = '@id("all") permit (principal, action, resource);'


BAR_S = 10.0
"""From a pause to the first refusal. The demo's own bar is for a machine whose disk does not stand still meanwhile."""

RUN = f"""
import sys
from sealgate.demo.__main__ import main
from sealgate.demo.mcp import stop
stop.BAR_S = {BAR_S}
sys.exit(main())
"""


def demo(*options):
    """Run it in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", RUN, *options], capture_output=True, text=True, timeout=500, check=False
    )


def git(repository, *arguments):
    """What git prints about a repository that the demo left."""
    return subprocess.run(["git", "-C", repository, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_the_whole_demo(environment, tmp_path):
    """All chapters hold; what it left on the disk says the same, behind the gate and without it."""
    kept = tmp_path / "kept"

    done = demo("--servers", environment, "--json", "--keep", kept)

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["held"]
    assert (len(told["chapters"]), told["checks_held"]) == (4, told["checks"])
    assert told["attacks_that_ran"] == 0
    assert told["attacks_that_ran_without_gate"] == told["attacks"] >= 4
    assert told["pause_to_first_refusal_s"] < BAR_S
    assert told["receipt_verified"]
    assert told["log_verified"]
    assert told["flip_named"]
    gated, open_home = kept / "home", kept / "without-gate" / "home"
    assert git(gated / "project", "log", "--format=%s").split("\n")[:2] == ["Add the opening hours", "Start"]
    assert git(gated / "project", "branch", "--list", "release-*").split() == ["release-1.0"]
    assert git(gated / "payroll", "log", "--format=%s") == "Start\n"
    assert "Raise my pay" in git(open_home / "payroll", "log", "--format=%s")
    assert all(SECRET not in file.read_text() for file in (kept / "servers").glob("*.jsonl"))
    assert SECRET in (kept / "without-gate" / "servers" / "time.jsonl").read_text()
    assert told["absent"] or not (gated / "project" / ".git" / "hooks" / "pre-commit").exists()
    assert told["absent"] or (open_home / "project" / ".git" / "hooks" / "pre-commit").exists()


@pytest.mark.slow
def test_a_server_that_cannot_be_had_is_named_and_left_out(environment, tmp_path):
    """Without what npm has the rest is told all the same, as tables."""
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "python").symlink_to(environment / "python")

    done = demo("--servers", tmp_path / "some")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "not to be had here, left out: filesystem" in done.stdout
    assert "not so:" not in done.stdout
    assert "write_file" not in done.stdout
    assert "agent_paused" in done.stdout
    assert "first bad record:" in done.stdout


@pytest.mark.slow
def test_where_the_policy_permits_all_the_attacks_happen(environment, tmp_path, monkeypatch):
    """The control of the refusals: the same gateway, authority and servers, other rules. The chapters say so."""
    monkeypatch.setattr(stopping, "BAR_S", BAR_S)
    known = servers.found(environment)

    with world(tmp_path / "w", known, PERMIT_ALL) as here:
        worked, attacked, approved, stopped = work(here), hostile(here, tmp_path / "open"), approval(here), stop(here)

    assert worked.held
    assert not attacked.held
    refused = [line for line in attacked.lines if line.held]
    assert {line.decision for line in refused} == {"refused"}, "what no policy decides is refused all the same"
    assert attacked.figures["attacks_that_ran"] == attacked.figures["attacks"] - len(refused)
    assert len(refused) == 2
    assert not approved.held
    assert approved.lines[0].decision == "PERMIT"
    assert stopped.held, "a pause wins over every permit"


def test_what_cannot_be_run_is_said_in_one_line(environment, tmp_path):
    """No servers, or a folder that is in use: exit status 1 and what to do."""
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()

    nothing = demo("--servers", tmp_path)
    used = demo("--servers", environment, "--keep", tmp_path / "used")

    assert (nothing.returncode, used.returncode) == (1, 1)
    assert "has no MCP servers" in nothing.stderr
    assert "mcp-env" in nothing.stderr
    assert "is not empty" in used.stderr
