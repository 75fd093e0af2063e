"""``sealgate privacy``: check, explain and scan say what they do, and print nothing of what they find."""

import json

import pytest
from click.testing import CliRunner

from sealgate.cli.privacy import command
from sealgate.model.errors import ConfigurationError


@pytest.fixture(name="call")
def _call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    def call(*arguments, **more):
        return CliRunner().invoke(command, list(arguments), **more)

    return call


def test_check(call, tmp_path):
    """A policy that holds is described; one that does not is an error with its reason."""
    (tmp_path / "good.toml").write_text("[[field]]\npath = 'attributes.input'\naction = 'keep'\n")
    (tmp_path / "bad.toml").write_text("colour = 1\n")

    good = call("check", "--policy", "good.toml")
    bad = call("check", "--policy", "bad.toml")

    assert good.exit_code == 0
    assert good.output.startswith("ok: 1 field rules, 0 own patterns, sha256:")
    assert isinstance(bad.exception, ConfigurationError)


def test_explain(call):
    """The item as it would leave, and for each place what was done."""
    item = {"kind": "reasoning", "attributes": {"rationale": "ask ann@example.com"}}

    text = call("explain", "-", input=json.dumps(item))
    twin = json.loads(call("explain", "-", "--json", input=json.dumps(item)).stdout)

    assert "attributes.rationale  email  mask    1" in text.output
    assert "ann@" not in text.output
    assert twin["item"]["attributes"]["rationale"] == "ask [email]"
    assert twin["redactions"] == [{"path": "attributes.rationale", "type": "email", "action": "mask", "count": 1}]


def test_scan(call, tmp_path):
    """Places and types of what is found, status 1; nothing found is status 0."""
    (tmp_path / "log.txt").write_text("fine\nask ann@example.com\n")
    (tmp_path / "clean.txt").write_text("fine\n")

    found = call("scan", "log.txt", "--json")
    clean = call("scan", "clean.txt")

    assert found.exit_code == 1
    assert json.loads(found.stdout)["findings"][0] | {"score": 0} == {
        "line": 2, "column": 5, "length": 15, "type": "email", "score": 0, "decoded_from": "",
    }  # fmt: skip
    assert "ann@" not in call("scan", "log.txt").output
    assert (clean.exit_code, clean.output) == (0, "0 found\n")
