"""The bar of what must not get through the gateway, without the real servers; and that its counting can fail."""

import json

import pytest

from bench import mcp, mcp_refusals
from sealgate.demo import authority as demo_authority
from sealgate.demo.authority import Authority, program, run

pytestmark = pytest.mark.timeout(400)  # many processes are started, on a machine that may be busy

DENIED = {"result": {"isError": True, "content": [{"type": "text", "text": "It was not run."}]}}
PASSED = {"result": {"isError": False, "content": []}}


@pytest.fixture(name="gate")
def _gate(tmp_path):
    with Authority(tmp_path / "gate") as running:
        yield running


def test_names_and_definitions_that_could_be_taken_for_others_do_not_pass(gate, tmp_path, monkeypatch):
    """Hyphens, look-alikes, members given twice, tools redefined, renamed, added: refused and recorded each."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(demo_authority, "_REST_S", 0.5)  # the outcome of a call before may come late on a busy machine
    monkeypatch.setattr(mcp_refusals, "_PATIENCE_S", 30)
    pins, policy = tmp_path / "pins.json", tmp_path / "policy"
    planned = mcp_refusals.Planned(tmp_path)
    options = ("--name", "planned", "--agent", "bench", "--socket", gate.socket, "--pins", pins)
    command = [program("sealgate"), "mcp", "wrap", *options, "--", *planned.command]
    mcp.Stdio(command).stop()
    (policy / "policies").mkdir(parents=True)
    (policy / "policies" / "all.cedar").write_text('@id("all") permit (principal, action, resource);')
    run("mcp", "definitions", policy, "--pins", pins)
    gate.publish(policy)
    attempts = mcp_refusals.Attempts(gate)
    client = mcp.Stdio(command)
    mcp_refusals.on_names(attempts, planned, client.ask, client.ask_raw)
    mcp_refusals.on_definitions(attempts, planned, client.ask, pins)
    client.stop()

    assert attempts.missed == []
    assert attempts.figures["refused_redefined_tools"] == (5, 5)
    assert attempts.figures["passed_controls"] == 5


def test_the_bar_notices_what_passes_and_what_leaves_no_record(gate, monkeypatch):
    """An attempt that passes, a refusal without a record, and a control that is refused are each a miss."""
    monkeypatch.setattr(mcp_refusals, "_PATIENCE_S", 0.1)
    attempts = mcp_refusals.Attempts(gate)
    attempts.refuse("paths", "passes", lambda: PASSED, decided=True)
    attempts.refuse("paths", "unrecorded", lambda: DENIED, decided=False)
    attempts.pass_("control", DENIED)

    assert len(attempts.missed) == 4
    assert attempts.figures["refused_paths"] == (1, 0)
    assert "control" in json.dumps(attempts.missed)
