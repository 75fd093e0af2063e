"""Real MCP servers (filesystem, git, time) behind the gate, called by the SDK's own client in both protocols."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from sealgate.demo.authority import Authority, program, run

pytestmark = pytest.mark.timeout(400)  # many processes are started, on a machine that may be busy

ROOT = Path(__file__).resolve().parents[3]
POLICY = """
@id("all") permit (principal, action, resource);
@id("inside") forbid (principal, action in [Action::"read_text_file", Action::"write_file"], resource) unless {
  context.input has path && context.normalized has path && context.normalized.path.ok
  && context.normalized.path.text like "WORKSPACE/*"
};
@id("no commits") forbid (principal, action == Action::"git_commit", resource);
"""


@pytest.fixture(scope="module", name="home")
def _home():
    """The environment of real servers, made by the project's script."""
    made = subprocess.run([ROOT / "scripts" / "mcp-env"], capture_output=True, text=True, check=False, timeout=110)
    if made.returncode == 3:
        pytest.skip(f"real MCP servers cannot be had here: {made.stderr.strip()[-200:]}")
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip())


def client(home, command, mode, *steps):
    """Let the SDK's client make some steps through a command; return their results."""
    plan = {"command": [str(item) for item in command], "mode": mode, "steps": steps}
    driver = Path(__file__).with_name("sdk_client.py")
    done = subprocess.run(
        [home / "python" / "bin" / "python", "-P", driver],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def counted(gate, metric, least):
    """Return a count that comes to rest, once it is so large: outcomes are told behind the answers of calls."""
    deadline = time.monotonic() + 60
    while gate.metric(metric) < least and time.monotonic() < deadline:
        time.sleep(0.05)
    return gate.metric_at_rest(metric)


@pytest.fixture(scope="module", name="world")
def _world(home, tmp_path_factory):
    """An authority whose policies know the servers' own definitions, and the command before each server."""
    folder = tmp_path_factory.mktemp("real")
    workspace = folder / "workspace"
    subprocess.run(["git", "init", "--quiet", workspace], check=True)
    (workspace / "a.txt").write_text("hello")
    (folder / "secret.txt").write_text("secret")
    (workspace / "link.txt").symlink_to(folder / "secret.txt")
    python = home / "python" / "bin"
    servers = {
        "filesystem": [home / "node_modules" / ".bin" / "mcp-server-filesystem", workspace],
        "git": [python / "mcp-server-git"],
        "time": [python / "mcp-server-time", "--local-timezone", "UTC"],
    }
    with Authority(folder / "gate") as gate:
        options = ("--agent", "a1", "--socket", gate.socket, "--pins", folder / "pins.json")
        commands = {
            name: [program("sealgate"), "mcp", "wrap", "--name", name, *options, "--", *server]
            for name, server in servers.items()
        }
        for command in commands.values():
            client(home, command, "auto", ["list_tools"])
        policy = folder / "policy"
        (policy / "policies").mkdir(parents=True)
        (policy / "policies" / "rules.cedar").write_text(POLICY.replace("WORKSPACE", str(workspace)))
        run("mcp", "definitions", policy, "--pins", folder / "pins.json")
        gate.publish(policy)
        yield gate, commands, workspace


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_permitted_calls_reach_real_servers(home, world, mode):
    """Each server does its work; calls at once each get their own answer."""
    gate, commands, workspace = world
    before = gate.metric_at_rest("sealgate_permits_reported_total")
    read, several = client(
        home,
        commands["filesystem"],
        mode,
        ["call_tool", "read_text_file", {"path": str(workspace / "a.txt")}],
        [["call_tool", "list_directory", {"path": str(workspace)}]] * 5,
    )
    (status,) = client(home, commands["git"], mode, ["call_tool", "git_status", {"repo_path": str(workspace)}])
    (now,) = client(home, commands["time"], mode, ["call_tool", "get_current_time", {"timezone": "UTC"}])

    assert read["content"][0]["text"] == "hello"
    assert all("a.txt" in item["content"][0]["text"] for item in several)
    assert "a.txt" in status["content"][0]["text"]
    assert "UTC" in now["content"][0]["text"]
    assert counted(gate, "sealgate_permits_reported_total", before + 8) == before + 8


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_forbidden_calls_do_not(home, world, mode):
    """Paths that lead elsewhere are refused by the policy, a link by the server; a commit does not happen."""
    gate, commands, workspace = world
    paths = [
        f"{workspace}/../secret.txt",
        f"{workspace}/%2e%2e/secret.txt",
        f"{workspace}/a.txt\u0000",
        f"{workspace}\\..\\secret.txt",
    ]
    before = gate.metric_at_rest("sealgate_records_total")
    refused = client(
        home, commands["filesystem"], mode, *(["call_tool", "read_text_file", {"path": path}] for path in paths)
    )
    records = counted(gate, "sealgate_records_total", before + 4) - before
    (linked,) = client(
        home, commands["filesystem"], mode, ["call_tool", "read_text_file", {"path": str(workspace / "link.txt")}]
    )
    (commit,) = client(
        home, commands["git"], mode, ["call_tool", "git_commit", {"repo_path": str(workspace), "message": "m"}]
    )

    assert [item["isError"] for item in refused] == [True] * 4
    assert all("was not run" in item["content"][0]["text"] for item in refused)
    assert records == 4
    assert linked["isError"] is True
    assert "secret" not in json.dumps(linked).replace("secret.txt", "")
    assert "no commits" in commit["content"][0]["text"]
    assert not any((workspace / ".git" / "refs" / "heads").iterdir())
