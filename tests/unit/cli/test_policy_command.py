"""`sealgate policy`: what an author sees before publishing."""

import json

import pytest
from click.testing import CliRunner

from sealgate.cli.policy import command, probe
from sealgate.cli.policy_directory import read_directory
from sealgate.model.errors import ConfigurationError
from sealgate.policy import DecisionPoint

POLICY = """@id("pay") permit(principal in Role::"payer", action == Action::"pay", resource == McpServer::"bank")
when { context.input.amount.lessThan(decimal("10.0")) };
"""
TOOLS = {
    "tools": [
        {
            "name": "pay",
            "inputSchema": {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]},
        }
    ]
}
ENTITIES = [{"uid": {"type": "Agent", "id": "a"}, "attrs": {}, "parents": [{"type": "Role", "id": "payer"}]}]


def _case(amount, outcome, **expect):
    request = {
        "subject": {"type": "agent", "id": "a"},
        "action": {"name": "pay"},
        "resource": {"type": "tool_server", "id": "bank"},
        "context": {"input": {"amount": amount}},
    }
    return {"name": f"pay {amount}", "request": request, "expect": {"outcome": outcome, **expect}}


@pytest.fixture(name="directory")
def _directory(tmp_path):
    """A factory of policy directories."""

    def make(policy=POLICY, tests=(), limits='[[limit]]\nid = "two"\naction = "pay"\nmax = 2\nper = "hour"\n'):
        for name in ("policies", "tools", "tests"):
            (tmp_path / name).mkdir()
        (tmp_path / "policies" / "bank.cedar").write_text(policy, encoding="utf-8")
        (tmp_path / "tools" / "bank.json").write_text(json.dumps(TOOLS), encoding="utf-8")
        (tmp_path / "entities.json").write_text(json.dumps(ENTITIES), encoding="utf-8")
        (tmp_path / "limits.toml").write_text(limits, encoding="utf-8")
        (tmp_path / "tests" / "t.json").write_text(json.dumps({"tests": list(tests)}), encoding="utf-8")
        return tmp_path

    return make


def _run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_directory_is_a_bundle(directory):
    """A directory gives one bundle, and one bundle one version."""
    folder = directory()

    bundle = read_directory(folder)

    assert bundle["tools"][0]["server"] == "bank"
    assert DecisionPoint.from_bundle(bundle).version == DecisionPoint.from_bundle(read_directory(folder)).version


def test_check(directory):
    """A good directory is described, its version included."""
    done = _run("check", directory(), "--json")

    assert done.exit_code == 0
    answer = json.loads(done.output)
    assert (answer["ok"], answer["policies"], answer["limits"]) == (True, 1, 1)


def test_check_says_what_is_wrong(directory):
    """A rule that cannot match does not load, and the line is named."""
    done = _run("check", directory(POLICY.replace('"pay", resource', '"paid", resource')), "--json")

    assert done.exit_code == 1
    assert "bank, line 1" in json.loads(done.output)["error"]


def test_check_survives_a_crash_of_the_engine():
    """What loads in another process cannot take this one along."""
    answer = probe(b"\x00")

    assert not answer["ok"]


def test_tests(directory):
    """Cases run in order and share limits; what differs is named."""
    good = [
        _case(1, "PERMIT", policies=["pay"]),
        _case(11, "SILENCE", reason="no_policy"),
        _case(1, "PERMIT"),
        _case(1, "DENY", reason="quota_exceeded"),
    ]
    folder = directory(tests=good)

    assert _run("test", folder).exit_code == 0

    (folder / "tests" / "t.json").write_text(json.dumps([_case(1, "DENY"), {"name": "x"}]), encoding="utf-8")
    done = _run("test", folder, "--json")
    assert done.exit_code == 1
    first, second = json.loads(done.output)["results"]
    assert first["differences"][0] == "outcome: expected DENY, got PERMIT"
    assert "not a test" in second["differences"][0]


def test_lint(directory):
    """A good directory has no finding; an open one fails and the table shows why."""
    folder = directory()
    assert "nothing found" in _run("lint", folder, "--strict").output

    (folder / "policies" / "bank.cedar").write_text("permit(principal, action, resource);", encoding="utf-8")
    done = _run("lint", folder)
    assert done.exit_code == 1
    assert "broad" in done.output
    assert json.loads(_run("lint", folder, "--json").output)["findings"][0]["severity"] == "error"


def test_schema(directory):
    """The schema that authors write against is shown."""
    done = _run("schema", directory())

    assert 'action "pay"' in done.output


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("entities.json", "[1,"),
        ("entities.json", '[{"a":1,"a":2}]'),
        ("limits.toml", "x = 1"),
        ("limits.toml", "[["),
        ("tools/bank.json", '"x"'),
    ],
)
def test_broken_files_are_named(directory, file, text):
    """A file that is not what its name says is named in the error; the directory loads before (positive control)."""
    folder = directory()
    read_directory(folder)
    (folder / file).write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=file.replace(".", r"\.")):
        read_directory(folder)


def test_missing_directory(tmp_path):
    """No directory, or one without policies, is the operator's to correct."""
    with pytest.raises(ConfigurationError):
        read_directory(tmp_path / "missing")
    with pytest.raises(ConfigurationError, match="no policy"):
        read_directory(tmp_path)
