"""A host's calls as our tools: one vocabulary, one question for each thing done."""

import json
import os

import pytest

from sealgate.hooks.events import EVENTS, HOSTS, read_event
from sealgate.hooks.tools import acts
from sealgate.model.errors import InputError

from .calls import event


def resolve(folder, name):
    """Resolve without a file system."""
    return os.path.normpath(os.path.join(folder, name))  # noqa: PTH118


def asked(host, tool, arguments, **members):
    """Return what is asked for one call."""
    return acts(read_event(host, "before", event(host, tool, arguments, **members)), resolve)


@pytest.mark.parametrize(
    ("host", "tool", "arguments", "expected"),
    [
        ("claude", "Bash", {"command": "git status"}, [("code.shell", "git")]),
        ("codex", "Bash", {"command": "ls && wc a"}, [("code.shell", "ls"), ("code.shell", "wc")]),
        ("codex", "shell", {"command": ["bash", "-lc", "ls"]}, [("code.shell", "ls")]),
        ("codex", "write_stdin", {"chars": "rm x\n"}, [("code.shell", "")]),
        ("gemini", "run_shell_command", {"command": "ls"}, [("code.shell", "ls")]),
        ("copilot", "bash", {"command": "ls"}, [("code.shell", "ls")]),
        ("claude", "Read", {"file_path": "/w/a"}, [("code.read", "/w/a")]),
        ("gemini", "read_many_files", {"paths": ["a", "b"]}, [("code.read", "/w/a"), ("code.read", "/w/b")]),
        ("claude", "Edit", {"file_path": "/w/../etc/x", "new_string": "y"}, [("code.write", "/etc/x")]),
        ("copilot", "create", {"path": "a", "file_text": "y"}, [("code.write", "/w/a")]),
        ("claude", "Grep", {"pattern": "x"}, [("code.search", "/w")]),
        ("claude", "WebFetch", {"url": "https://e.org/", "prompt": "x"}, [("code.fetch", "https://e.org/")]),
        ("gemini", "web_fetch", {"prompt": "sum http://a.b and http://c.d"}, [("code.fetch", u) for u in ("http://a.b", "http://c.d")]),
        ("claude", "Teleport", {"to": "x"}, [("code.other", "Teleport")]),
    ],
)  # fmt: skip
def test_calls_become_questions(host, tool, arguments, expected):
    """Each host's own names and arguments lead to the same tools."""
    found = asked(host, tool, arguments)
    named = [
        (act.tool, next(act.arguments[key] for key in ("program", "path", "url", "name") if key in act.arguments))
        for act in found
    ]
    assert named == expected
    assert all(act.server == host for act in found)


def test_each_file_of_a_patch_is_asked_for():
    """A patch is as many questions as it has files, moves included; one that cannot be read is refused."""
    patch = "*** Begin Patch\n*** Update File: a\n*** Move to: ../b\n@@\n-x\n+y\n*** Delete File: c\n*** End Patch"

    found = asked("codex", "apply_patch", {"command": patch})

    assert [(act.arguments["path"], act.arguments["change"]) for act in found] == [
        ("/w/a", "write"), ("/b", "write"), ("/w/c", "delete"),
    ]  # fmt: skip
    assert [act.arguments["inside"] for act in found] == [True, False, True]
    with pytest.raises(InputError):
        asked("codex", "apply_patch", {"command": "*** Begin Patch\n*** Rename File: a\n*** End Patch"})


@pytest.mark.parametrize(
    ("host", "tool", "members"),
    [
        ("claude", "mcp__git__git_log", {}),
        ("codex", "mcp__git__git_log", {}),
        ("gemini", "mcp_git_git_log", {"mcp_context": {"server_name": "git", "tool_name": "git_log"}}),
    ],
)
def test_mcp_tools_are_named_server_tool(host, tool, members):
    """Whatever form a host gives the name, policies see server/tool with the tool's own arguments."""
    (found,) = asked(host, tool, {"n": 1}, **members)

    assert (found.tool, found.server, found.arguments) == ("git/git_log", "git", {"n": 1})


def test_outside_is_told():
    """Every word that leads out of the workspace is told, also behind an option."""
    (found,) = asked("claude", "Bash", {"command": "cp a --target=/etc ../b -C/x > /var/y"})

    assert found.arguments["outside"] == ["/b", "/etc", "/var/y", "/x"]
    assert found.arguments["writes"] == ["/var/y"]


def test_what_is_written_is_told_by_digest_only():
    """The content of a file is not in the question, and another content is another question."""
    one = asked("claude", "Write", {"file_path": "a", "content": "secret"})[0].arguments
    two = asked("claude", "Write", {"file_path": "a", "content": "public"})[0].arguments

    assert "secret" not in json.dumps(one)
    assert one["size_bytes"] == two["size_bytes"]
    assert one["input_sha256"] != two["input_sha256"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("Bash", {}), ("Bash", {"command": 1}), ("Read", {}), ("Read", {"file_path": "a\0b"}), ("WebFetch", {"url": 1})],
)
def test_calls_without_their_argument_are_refused(tool, arguments):
    """A call whose meaning cannot be told is not asked for."""
    with pytest.raises(InputError):
        asked("claude", tool, arguments)


@pytest.mark.parametrize("host", HOSTS)
def test_events_of_the_wrong_phase_are_refused(host):
    """An end of a call cannot stand in for its beginning; the beginning itself is read."""
    data = event(host, "x", {})

    assert EVENTS[host][read_event(host, "before", data).name] == "before"
    if host != "copilot":  # its input does not name the event: the phase is all there is
        with pytest.raises(InputError):
            read_event(host, "after", data)


def test_arguments_in_a_text_are_read():
    """Copilot sends the arguments as JSON in a text."""
    data = json.loads(event("copilot", "bash", {}))
    data["toolArgs"] = '{"command": "ls"}'

    assert read_event("copilot", "before", json.dumps(data).encode()).arguments == {"command": "ls"}
