"""A chapter holds only if every line does; evidence only if the very record is named; the tap writes and passes on."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from sealgate.demo.evidence import Check, Flip, Proof
from sealgate.demo.mcp import tap
from sealgate.demo.mcp.clients import Answer
from sealgate.demo.mcp.report import StoryReport
from sealgate.demo.mcp.story import Chapter, Line

GOOD = Line("read", "DENY", "rule", "nothing was read", held=True)
BAD = replace(GOOD, held=False)
RECORD = "01a227f9-7c1f-74f5-bd1c-73ee54480d04"


@pytest.mark.parametrize(("lines", "held"), [([GOOD, GOOD], True), ([GOOD, BAD], False), ([], False)])
def test_a_chapter_holds_if_all_lines_do(lines, held):
    """A chapter that checked nothing does not hold."""
    assert Chapter("c", lines).held is held
    assert Chapter("c", lines).told()["held"] is held


def test_a_line_that_did_not_hold_is_shown_as_such():
    """Nobody can mistake it for a success."""
    out = io.StringIO()
    StoryReport(Console(file=out, width=120)).chapter(1, Chapter("c", [GOOD, BAD]))
    assert out.getvalue().count("FAILED") == 1
    assert "not so: nothing was read" in out.getvalue()


def test_evidence_holds_if_that_record_is_named():
    """Another record, or a verifier that is content with the flipped byte, is a failure."""
    passed = Check("v", 0, "verdict: verified")
    named = Check("v", 10, "first bad record: 15\nverdict: altered")
    proof = Proof(15, 0.1, passed, passed, Flip("f", 1, 0, 1), named)

    assert proof.held
    assert not replace(proof, index=1).held
    assert not replace(proof, flipped=replace(named, exit_code=0)).held
    assert not replace(proof, receipt=named).held
    assert not replace(proof, log=named).held


def test_an_answer_names_record_and_ticket():
    """Only ids count, and only in their places."""
    answer = Answer(f"`x` was not run. Ticket {RECORD}. Do it. Record {RECORD}.", failed=True)
    assert (answer.record_id, answer.ticket) == (RECORD, RECORD)
    assert Answer("Record of the year. Ticket 12.", failed=False).record_id is None
    assert Answer.of({"error": {"code": 1, "message": "no"}}) == Answer("no", failed=True)
    assert Answer.of({"result": {"content": [{"type": "text", "text": "a"}]}}) == Answer("a", failed=False)


@pytest.mark.parametrize("updated", [False, True])
def test_the_tap_writes_down_what_reaches_the_server(tmp_path, updated):
    """Requests but greeting and lists; tools are described anew where there is an update. The server here is `cat`."""
    notes = tmp_path / "notes"
    if updated:
        Path(f"{notes}.update").write_text(json.dumps({"t": "evil"}))
    sent = [
        {"id": 1, "method": "initialize"},
        {"id": 2, "method": "tools/call", "params": {"name": "t"}},
        {"method": "notifications/cancelled"},
        {"id": 3, "result": {"tools": [{"name": "t", "description": "good"}, {"name": "u"}]}},
    ]

    done = subprocess.run(
        [sys.executable, "-P", tap.__file__, notes, "--", "cat"],
        input="".join(json.dumps(line) + "\n" for line in sent), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    assert [json.loads(line) for line in notes.read_text().splitlines()] == [
        {"method": "tools/call", "params": {"name": "t"}}
    ]
    got = [json.loads(line) for line in done.stdout.splitlines()]
    assert got[:3] == sent[:3]
    assert got[3]["result"]["tools"][0]["description"] == ("evil" if updated else "good")
