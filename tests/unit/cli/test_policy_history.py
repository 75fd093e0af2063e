"""`sealgate policy init`, `suggest` and `replay`, run as commands."""

import json

import pytest
from click.testing import CliRunner

from sealgate.cli.policy import command
from sealgate.cli.policy_packs import PACKS

TOOLS = {
    "server": "mail",
    "tools": [
        {"name": "read_messages", "inputSchema": {"type": "object", "properties": {}}},
        {
            "name": "send_message",
            "inputSchema": {
                "type": "object",
                "properties": {"to": {"type": "string"}, "body": {"type": "string"}},
                "required": ["to", "body"],
            },
        },
        {"name": "wipe_disk", "inputSchema": {"type": "object", "properties": {}}},
    ],
}


def sealgate(*arguments, status=0):
    """Run `sealgate policy …` and return its JSON."""
    done = CliRunner().invoke(command, [*map(str, arguments), "--json"])
    assert done.exit_code == status, (done.output, done.exception)
    return json.loads(done.output)


@pytest.fixture
def inputs(tmp_path):
    """Tools, tasks and runs as files."""
    (tmp_path / "mail.json").write_text(json.dumps(TOOLS))
    (tmp_path / "tasks.txt").write_text("Read my messages\nSend a message to ann@a.org\n")
    run = {"calls": [{"tool": "read_messages", "arguments": {}}]}
    (tmp_path / "runs.jsonl").write_text(json.dumps(run) + "\n")
    return tmp_path


@pytest.mark.parametrize("pack", sorted(PACKS))
def test_packs_pass_our_own_commands(tmp_path, pack):
    """Each starter pack loads, its tests pass, and lint finds nothing, not even a warning."""
    told = sealgate("init", pack, tmp_path / "pack")

    assert (told["findings"], told["failed_tests"]) == ([], [])
    assert all(result["passed"] for result in sealgate("test", tmp_path / "pack")["results"])
    assert len(sealgate("test", tmp_path / "pack")["results"]) >= 7
    assert sealgate("check", tmp_path / "pack")["ok"]


def test_a_pack_never_overwrites(tmp_path):
    """A folder with something in it is refused."""
    (tmp_path / "mine").write_text("x")

    assert CliRunner().invoke(command, ["init", "shell", str(tmp_path)]).exit_code != 0


def test_suggest_writes_what_our_commands_accept(inputs):
    """The proposal loads, lints and tests clean; what no task needs is left out."""
    told = sealgate(
        "suggest",
        inputs / "mail.json",
        inputs / "out",
        "--tasks",
        inputs / "tasks.txt",
        "--runs",
        inputs / "runs.jsonl",
    )

    assert told["permitted"] == ["suggested.read_messages", "suggested.send_message"]
    assert list(told["left_out"]) == ["wipe_disk"]
    assert told["failed_tests"] == []
    assert all(result["passed"] for result in sealgate("test", inputs / "out")["results"])
    assert sealgate("lint", inputs / "out")["findings"] == []


def test_suggest_is_deterministic(inputs):
    """Twice the same input, twice the same version."""
    one, two = (
        sealgate("suggest", inputs / "mail.json", inputs / name, "--tasks", inputs / "tasks.txt")["version"]
        for name in ("one", "two")
    )

    assert one == two


def test_replay_of_runs_and_of_an_export(inputs):
    """Runs are asked again exactly; an export as far as its records go."""
    sealgate("suggest", inputs / "mail.json", inputs / "out", "--tasks", inputs / "tasks.txt")
    call = {"tool": "send_message", "arguments": {"to": "eve@e.org", "body": "b"}, "outcome": "PERMIT"}
    known = {**call, "provenance": {"to": ["person"]}}
    past = {"agent": "agent", "server": "mail", "calls": [call, known]}
    (inputs / "past.jsonl").write_text(json.dumps(past) + "\n")
    row = {
        "record_id": "r1",
        "kind": "decision",
        "time": "2026-01-01T00:00:00.000Z",
        "agent": "agent",
        "tool": "send_message",
        "outcome": "PERMIT",
        "rest": {"resource": {"type": "tool_server", "id": "mail"}, "kept": None},
    }
    kept = {"session": None, "provenance": [{"argument": "to", "origins": ["untrusted"]}]}
    rows = [
        row,
        {**row, "rest": {**row["rest"], "kept": kept}},
        {**row, "tool": "wipe_disk"},
        {**row, "kind": "outcome"},
    ]
    (inputs / "export.jsonl").write_text("".join(json.dumps(item) + "\n" for item in rows))

    runs = sealgate("replay", inputs / "out", "--runs", inputs / "past.jsonl")
    log = sealgate("replay", inputs / "out", "--log", inputs / "export.jsonl")

    assert (runs["decisions"], runs["same"], runs["changed"]) == (2, 1, 1)
    assert (log["decisions"], log["not_known"], log["changed"]) == (3, 1, 2)
    assert {change["would_be"] for change in log["changes"]} == {"DENY", "SILENCE"}
    assert log["tools"]["wipe_disk"] == {"PERMIT → SILENCE": 1}


def test_two_sources_are_refused(inputs):
    """Which one was meant cannot be known."""
    sealgate("suggest", inputs / "mail.json", inputs / "out", "--tasks", inputs / "tasks.txt")
    done = CliRunner().invoke(
        command, ["replay", str(inputs / "out"), "--runs", str(inputs / "a"), "--log", str(inputs / "b")]
    )

    assert done.exit_code != 0
