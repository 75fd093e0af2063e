"""Each host's own words, and what travels between the hook program and the daemon."""

import json
from pathlib import Path

import pytest

from sealgate.hooks import documents, frames, outputs, program, settings
from sealgate.hooks.events import EVENTS, HOSTS
from sealgate.model.errors import InputError

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("host", HOSTS)
def test_a_refusal_has_the_host_s_members_and_no_others(host):
    """A member of another host's form would make some hosts ignore the refusal."""
    refusal = outputs.refusal(host, "no\nreally")
    members = json.loads(refusal.stdout)

    expected = {
        "claude": {"hookSpecificOutput"},
        "codex": {"hookSpecificOutput"},
        "gemini": {"decision", "reason"},
        "copilot": {"permissionDecision", "permissionDecisionReason"},
        "cursor": {"permission", "user_message", "agent_message"},
    }
    assert set(members) == expected[host]
    assert "deny" in refusal.stdout.decode()
    assert "no really" in refusal.stdout.decode()
    assert refusal.status == (0 if host == "copilot" else 2)
    assert bool(refusal.stderr) is (host != "copilot")


@pytest.mark.parametrize("host", HOSTS)
def test_a_permit_stands_aside_unless_told_otherwise(host):
    """By default the host's own questions to its user stay; `ask` is in no answer at all."""
    assert outputs.permit(host, "stand-aside", "x") == outputs.SILENT
    assert b"deny" not in outputs.permit(host, "allow", "x").stdout
    assert b'"ask"' not in outputs.permit(host, "allow", "x").stdout + outputs.deferral("x").stdout


@pytest.mark.parametrize("reason", ["", " ", "\ud800", "x" * 100_000])
def test_any_reason_can_be_told(reason):
    """A refusal never fails on its own words, and is never without any: Codex ignores one that is."""
    refusal = outputs.refusal("codex", reason)

    assert 1 < len(refusal.stderr) < 3000
    assert json.loads(refusal.stdout)["hookSpecificOutput"]["permissionDecisionReason"].strip()


@pytest.mark.parametrize(
    "line", [b"", b"GET / HTTP/1.1", b"SG1 x before claude 1", b"SG1 " + b"0" * 16 + b" before claude -1", b"\xff"]
)
def test_heads_that_are_none(line):
    """A question that cannot be read is none; a whole one is."""
    with pytest.raises(InputError):
        frames.read_head(line)

    assert frames.read_head(frames.question("0" * 16, "before", "claude", b"x").split(b"\n")[0]).length == 1


def test_program_and_daemon_agree():
    """The programs import nothing of ours, so their numbers are written again; the one in Perl has the same."""
    perl = settings.program("perl").read_text("utf-8")

    assert program.MAX_INPUT == frames.MAX_INPUT_BYTES
    assert f"= ({program.PASS}, {program.WARN}, {program.REFUSE});" in perl
    assert "($MAX_INPUT, $MAX_ANSWER) = (8 * 1024 * 1024, 1024 * 1024);" in perl
    assert program.MAX_ANSWER == 1024 * 1024


@pytest.mark.parametrize("host", HOSTS)
def test_every_event_is_subscribed_to(host):
    """An installation subscribes to every event before and after a call, and Claude is told to block on failure."""
    added = documents.add(
        {}, host, {"before": "'/sealgate/hooks/program.py' b", "after": "'/sealgate/hooks/program.py' a"}
    )

    assert set(added["hooks"]) == set(EVENTS[host])
    text = json.dumps(added)
    assert ("onFailure" in text) is (host == "claude")
    assert ("failClosed" in text) is (host == "cursor")


def test_the_lock_of_the_hosts_names_no_registry():
    """Versions and hashes, and no address of where they come from."""
    lock = json.loads((ROOT / "requirements" / "hosts" / "package-lock.json").read_text("utf-8"))
    packages = [item for name, item in lock["packages"].items() if name]

    assert len(packages) > 5
    assert all(item["integrity"].startswith("sha512-") and "resolved" not in item for item in packages)
