"""Configurations of clients are rewritten to the wrapper and put back exactly."""

import json
import tomllib

import pytest

from sealgate.gateway.clients import Wrapper, import_file, undo
from sealgate.model.errors import ConfigurationError

WRAPPER = Wrapper("/opt/sealgate", ("--agent", "a1"))
SERVERS = {
    "git": {"command": "uvx", "args": ["mcp-server-git"], "env": {"GIT_TOKEN": "x", "MODE": "y"}},
    "bare": {"command": "server"},
    "far": {"url": "https://mcp.example/mcp"},
}
TOML = """\
# mine
model = "m"   # keep

[mcp_servers.git]
command = "uvx"
args = ["mcp-server-git", "a ] b"] # why
startup_timeout_sec = 20
[mcp_servers.git.env]
GIT_TOKEN = "x"

[mcp_servers."odd name"]
args = [
  "one",
  'two',
]
command = 'server'

[other]
x = 1
"""


@pytest.mark.parametrize("client", ["claude", "cursor", "vscode", "gemini"])
def test_json_is_rewritten_and_put_back(tmp_path, client):
    """Servers that are started get the wrapper, others are named; the file comes back byte for byte."""
    member = "servers" if client == "vscode" else "mcpServers"
    path = tmp_path / "config.json"
    path.write_text(before := json.dumps({"other": [1], member: SERVERS}))
    done = import_file(client, path, WRAPPER)
    after = json.loads(path.read_text())

    assert done.wrapped == ("git", "bare")
    assert "HTTP" in done.left["far"]
    assert done.exposed == ("git: GIT_TOKEN",)
    git = after[member]["git"]
    assert git["command"] == "/opt/sealgate"
    assert git["args"] == [
        *("mcp", "wrap", "--name", "git", "--agent", "a1", "--env", "GIT_TOKEN", "--env", "MODE"),
        *("--", "uvx", "mcp-server-git"),
    ]
    assert git["env"] == SERVERS["git"]["env"]
    assert after["other"] == [1]
    assert import_file(client, path, WRAPPER).wrapped == ()  # a second time changes nothing
    undo(path)
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


def test_toml_keeps_everything_else(tmp_path):
    """Comments, order and other members stay; the entries mean what they should."""
    path = tmp_path / "config.toml"
    path.write_text(TOML)
    done = import_file("codex", path, WRAPPER)
    text = path.read_text()
    servers = tomllib.loads(text)["mcp_servers"]

    assert done.wrapped == ("git", "odd name")
    assert servers["git"]["args"][-3:] == ["uvx", "mcp-server-git", "a ] b"]
    assert servers["odd name"]["args"][-3:] == ["server", "one", "two"]
    assert servers["git"]["startup_timeout_sec"] == 20
    assert servers["git"]["env"] == {"GIT_TOKEN": "x"}
    assert '# mine\nmodel = "m"   # keep' in text
    undo(path)
    assert path.read_text() == TOML


def test_what_cannot_be_rewritten_is_left_alone(tmp_path):
    """Inline tables, comments in JSON, files that somebody changed since: an error, and not one byte is different."""
    inline = tmp_path / "c.toml"
    inline.write_text(text := 'mcp_servers = {git = {command = "uvx"}}\n')
    with pytest.raises(ConfigurationError):
        import_file("codex", inline, WRAPPER)
    commented = tmp_path / "c.json"
    commented.write_text("{// no\n}")
    with pytest.raises(ConfigurationError):
        import_file("claude", commented, WRAPPER)
    changed = tmp_path / "d.json"
    changed.write_text(json.dumps({"mcpServers": SERVERS}))
    import_file("claude", changed, WRAPPER)
    changed.write_text(now := changed.read_text() + "\n")
    with pytest.raises(ConfigurationError, match="changed since"):
        undo(changed)

    assert inline.read_text() == text
    assert changed.read_text() == now
