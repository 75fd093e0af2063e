"""The evidence service as a process beside a real authority: its commands, its client, nothing without the other."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sealgate.model.errors import NotPermittedError, UnavailableError
from sealgate.sdk.evidence import EvidenceClient

pytestmark = pytest.mark.timeout(400)  # many processes are started, on a machine that may be busy
SEALGATE = str(Path(sys.executable).with_name("sealgate"))


def _sealgate(folder, *arguments, status=0):
    done = subprocess.run(
        [SEALGATE, *arguments, "--config", str(folder)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory):
    """A new installation, its authority and its evidence service, each a process of its own."""
    folder = tmp_path_factory.mktemp("site") / "sg"
    subprocess.run([SEALGATE, "init", str(folder)], check=True, capture_output=True)
    off = ["--set", "access.enabled=no", "--set", "collector.enabled=no", "--set", "vault.enabled=no"]
    commands = (["serve", *off], ["evidence", "serve"])
    running = []
    for command, socket in zip(commands, ("sealgate.sock", "evidence/evidence.sock"), strict=True):
        running.append(subprocess.Popen([SEALGATE, *command, "--config", str(folder)], stderr=subprocess.DEVNULL))
        deadline = time.monotonic() + 60
        while not (folder / socket).exists():
            assert time.monotonic() < deadline
            assert running[-1].poll() is None
            time.sleep(0.05)
    deadline = time.monotonic() + 60
    while json.loads(_sealgate(folder, "evidence", "status", "--json"))["status"]["projected"] < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    yield folder, running
    for process in running:
        process.kill()
        process.wait(60)


def test_every_command_answers(site, tmp_path):
    """Tables for people, JSON for programs, a file that fits its digest; a role granted and taken back."""
    folder, _ = site
    why = ["--reason", "incident 7"]
    rows = json.loads(_sealgate(folder, "search", "--kind", "genesis", "--json", *why))["page"]["rows"]
    record_id = rows[0]["record_id"]
    assert record_id in _sealgate(folder, "search", *why)
    assert "genesis" in _sealgate(folder, "trace", record_id, *why)
    assert "genesis" in _sealgate(folder, "aggregate", "--by", "kind", *why)
    assert _sealgate(folder, "explain", record_id, *why)
    assert "SHA-256" in _sealgate(folder, "export", str(tmp_path / "out.jsonl"), *why)
    assert record_id in (tmp_path / "out.jsonl").read_text("utf-8")
    granted = _sealgate(folder, "role", "grant", "eve", "analyst", "--reason", "look")
    assert "eve" in _sealgate(folder, "role", "list")
    _sealgate(folder, "role", "revoke", granted.split()[-1], "--reason", "over")
    assert "eve" not in _sealgate(folder, "role", "list")
    receipt = _sealgate(folder, "receipt", record_id, "--out", str(tmp_path / "r"))
    assert "tlog-proof" in receipt
    assert "receipt:" in _sealgate(folder, "explain", str(tmp_path / "r.tlog-proof"), *why)
    body = tmp_path / "r.body.json"
    body.write_bytes(body.read_bytes().replace(b"genesis", b"genesiz"))
    _sealgate(folder, "explain", str(tmp_path / "r.tlog-proof"), *why, status=1)


def test_a_log_is_exported_with_its_bodies(site, tmp_path):
    """Bodies come through the evidence service as a recorded read; the verifier takes them and finds a changed one."""
    folder, _ = site
    trust = str(folder / "trust.json")
    _until(lambda: int((folder / "log" / "checkpoint").read_text("utf-8").split("\n")[1]) > 0)

    bare = json.loads(_sealgate(folder, "log", "export", str(folder), str(tmp_path / "bare"), "--json"))
    _sealgate(folder, "log", "export", str(folder), str(tmp_path / "no"), "--bodies", "--role", "nobody", status=1)
    why = ["--bodies", "--reason", "yearly audit"]
    whole = json.loads(_sealgate(folder, "log", "export", str(folder), str(tmp_path / "all"), *why, "--json"))
    part = json.loads(
        _sealgate(folder, "log", "export", str(folder), str(tmp_path / "one"), *why, "--to", "1", "--json")
    )

    assert (bare["bodies"], part["bodies"]) == (0, 1)
    assert whole["bodies"] >= 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all", "bare", "one"]  # nothing beside, nothing refused
    assert not (tmp_path / "all" / "UNFINISHED").exists()
    report = _verified(tmp_path / "all", trust)
    assert report["verdict"] == "verified"
    (bodies,) = [step["message"] for step in report["steps"] if step["name"] == "bodies"]
    assert bodies.startswith(f"{whole['bodies']} bodies are what was sealed")
    exports = []

    def told():
        place = tmp_path / str(time.monotonic_ns())
        _sealgate(folder, "log", "export", str(folder), str(place), *why)
        exports[:] = [body for body in _accesses(place) if body["operation"] == "export"]
        return sum(body["reason"] == "yearly audit" for body in exports) >= 2

    _until(told)  # a record is in an export once it is published and projected
    at = next(number for number, body in enumerate(exports) if body["reason"] == "yearly audit")
    refused, first, second = exports[at - 1 : at + 2]
    assert (refused["outcome"], refused["refusal"], refused["count"]) == ("refused", "read-refused", None)
    for access in (first, second):
        assert (access["outcome"], access["refusal"], access["reason"]) == ("allowed", None, "yearly audit")
        assert access["time"] > refused["time"]
        assert access["reader"] == {"principal": "operator", "proof": "unix_peer", "roles": ["investigator"]}
        assert access["policies"] == ["investigator-reads", "investigator-sees"]
        assert re.fullmatch("[0-9a-f]{64}", access["digest"])
    assert first["filter"] == []
    assert (second["filter"], second["count"]) == ([{"field": "to_index", "value": "1"}], 1)  # no more than the range
    assert whole["bodies"] <= first["count"]
    (bundle,) = (path for path in (tmp_path / "all" / "body").rglob("*") if path.is_file())  # of this young log
    bundle.write_bytes(bundle.read_bytes().replace(b"genesis", b"genesiz"))
    assert _verified(tmp_path / "all", trust)["verdict"] == "altered"


def test_key_changes_that_a_caller_asked_for_verify_with_their_bodies(site, tmp_path):
    """Their records say who asked; their statements speak of the authority, whom alone verifiers believe about keys."""
    folder, _ = site
    trust = str(folder / "trust.json")
    for changed in ([], ["--purpose", "receipt", "--revoke"]):
        _sealgate(folder, "keys", "rotate", *changed, "--apply")

    def export():
        place = tmp_path / str(time.monotonic_ns())
        _sealgate(folder, "log", "export", str(folder), str(place), "--bodies", "--reason", "keys were changed")
        return place, [body for body in _bodies(place) if body["kind"].startswith("key.")]

    _until(lambda: len(export()[1]) == 4)
    place, events = export()

    assert [event["kind"] for event in events] == ["key.added", "key.retired", "key.added", "key.revoked"]
    assert {event["agent"]["id"] for event in events} == {"operator"}
    assert _verified(place, trust)["verdict"] == "verified"


def _bodies(export):
    """Return the bodies of all records in an export, in order."""
    found = []
    for path in sorted(path for path in (export / "body").rglob("*") if path.is_file()):
        content, at = path.read_bytes(), 0
        while at < len(content):
            size = int.from_bytes(content[at : at + 4], "big")
            found.append(content[at + 4 : at + 4 + size])
            at += 4 + size
    return [json.loads(body) for body in found if body]


def _accesses(export):
    return [body for body in _bodies(export) if body["kind"] == "access"]


def _verified(export, trust):
    command = [sys.executable, "-m", "sealgate.verifier", "log", str(export), "--trust", trust, "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=False, timeout=100).stdout)


def test_a_rebuilt_store_answers_the_same(site):
    """Made anew from the journal it equals the old one, row for row."""
    folder, running = site
    rows = _rows(folder)
    running[1].send_signal(signal.SIGTERM)
    running[1].wait(60)

    done = json.loads(_sealgate(folder, "rebuild", "--reason", "yearly check", "--json"))

    assert done["same"]
    assert done["differing"] == []
    assert done["after"]["rows"] >= len(rows) > 3
    running[1] = subprocess.Popen([SEALGATE, "evidence", "serve", "--config", str(folder)], stderr=subprocess.DEVNULL)
    _until((folder / "evidence/evidence.sock").exists)
    again = _rows(folder)
    assert again[-len(rows) :] == rows


def _rows(folder):
    """Return the ids of all records but those of reading, newest first."""
    page = json.loads(_sealgate(folder, "search", "--json", "--limit", "500", "--reason", "incident 7"))["page"]
    return [row["record_id"] for row in page["rows"] if row["kind"] != "access"]


def _until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_without_the_authority_nothing_is_answered(site):
    """While the authority runs a question is answered, one in a role not held is refused; once it is gone, none is."""
    folder, (authority, _) = site
    with EvidenceClient(socket=folder / "evidence" / "evidence.sock", reason="incident 7") as client:
        assert client.search()["page"]["rows"]
        with pytest.raises(NotPermittedError):
            _refused(client)
        os.kill(authority.pid, signal.SIGTERM)
        authority.wait(60)
        with pytest.raises(UnavailableError):
            client.search()


def _refused(client):
    """Ask in a role that the caller does not hold."""
    with EvidenceClient(socket=client._where, role="auditor", reason="x") as other:
        other.search()
