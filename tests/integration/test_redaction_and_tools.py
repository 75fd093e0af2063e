"""Redaction is for records: what a tool executes, and what policies judge, is what the agent said, to the byte."""

import json
import os
import subprocess
import sys

import pytest

from sealgate.demo.authority import Authority

from .contents import content

SECRET = "ann.example@mail.example.com"
AGENT = f"""
import json, sealgate
from sealgate import guard

ran = []

@guard(tool="send", server="mail")
def send(to: str, body: str) -> str:
    ran.append([to, body])
    return "sent to " + to

with sealgate.task("write to {SECRET}", id="t-redact"):
    with sealgate.tool_call("search", {{"who": "{SECRET}"}}) as call:
        call.output({{"found": "{SECRET}"}})
    answer = send("{SECRET}", body="Dear Ann, {SECRET} 4111 1111 1111 1111")
print(json.dumps([ran, answer]))
"""
POLICY = f"""
@id("mail")
permit (principal, action == Action::"send", resource) when {{ context.input.to == "{SECRET}" }};
"""
TOOL = {
    "name": "send",
    "inputSchema": {
        "type": "object",
        "properties": {"to": {"type": "string"}, "body": {"type": "string"}},
        "required": ["to", "body"],
    },
}


@pytest.fixture(name="authority")
def _authority(tmp_path):
    bundle = tmp_path / "policy"
    (bundle / "policies").mkdir(parents=True)
    (bundle / "tools").mkdir()
    (bundle / "policies" / "mail.cedar").write_text(POLICY, "utf-8")
    (bundle / "tools" / "mail.json").write_text(json.dumps({"tools": [TOOL]}), "utf-8")
    with Authority(tmp_path / "a") as authority:
        authority.publish(bundle)
        yield authority


def test_the_tool_gets_what_the_agent_said(authority, tmp_path):
    """The guarded function runs with the raw values and its caller gets the raw result; no file holds them."""
    environment = {**os.environ, "SEALGATE_AGENT": "mailer", "SEALGATE_SOCKET": str(authority.socket)}
    environment["SEALGATE_TIMEOUT_S"] = "30"
    environment["SEALGATE_SPOOL"] = str(tmp_path / "spool")
    environment["SEALGATE_COLLECTOR_SOCKET"] = str(authority.folder / "collector.sock")
    done = subprocess.run(
        [sys.executable, "-c", AGENT], env=environment, capture_output=True, text=True, timeout=100, check=False
    )

    assert done.returncode == 0, done.stderr
    ran, answer = json.loads(done.stdout)
    assert ran == [[SECRET, f"Dear Ann, {SECRET} 4111 1111 1111 1111"]]
    assert answer == f"sent to {SECRET}"
    written = [path for root in (authority.folder, tmp_path / "spool") for path in root.rglob("*") if path.is_file()]
    holding = [path for path in written if SECRET.encode() in content(path)]
    assert [path.parent.name for path in holding] == ["policies"]  # the published set names it: an operator wrote that
