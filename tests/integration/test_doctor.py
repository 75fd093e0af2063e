"""``sealgate doctor`` beside a real authority: what it compares with the log, what it asks the processes."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from bench.ingest_world import children
from bench.ledger_world import SeedSigner
from sealgate.adapters.configuration import loading
from sealgate.adapters.keys import file, passphrase
from sealgate.adapters.keys.envelope import Purpose
from sealgate.adapters.stores.directory import DirectoryLog
from sealgate.authority import key_events
from sealgate.cli import _published, _running
from sealgate.demo.authority import Authority, program
from sealgate.encoding import canonical
from sealgate.model.errors import UnavailableError
from sealgate.proofs import notes, trust

from .standing import stand_still

pytestmark = pytest.mark.timeout(400)  # many processes are started, on a machine that may be busy


@pytest.fixture(name="authority")
def _authority(tmp_path, monkeypatch):
    """One whose log has begun, with a vault beside it."""
    monkeypatch.setenv("SEALGATE_VAULT_ENABLED", "yes")
    with Authority(tmp_path / "a") as made:
        _until((made.folder / "log" / "checkpoint").exists)
        _until((made.folder / "vault" / "vault.sock").exists)
        yield made


def _until(condition, timeout_s=60.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _finding(authority, check):
    """Return status, detail and hint of one check, and whether the command failed."""
    command = [program("sealgate"), "doctor", "--config", authority.configuration, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert (done.returncode == 0) == told["ok"]
    (found,) = [row for row in told["checks"] if row["check"] == check]
    return found


def _endorse(authority, authority_id):
    """Return other members of a first record, which this log's own root key endorses."""
    keys, known = authority.folder / "keys", trust.parse(authority.trust_file.read_bytes())
    root = file.open_signer(keys / "root.key", passphrase.read(f"file:{keys}/root-unlock"), Purpose.ROOT)
    return key_events.genesis(
        origin=known.origin,
        authority_id=authority_id,
        log_key=notes.VerifierKey(known.origin, notes.ED25519, known.log.public_key).encode(),
        root_key=known.root_key,
        statement_key=known.statement_keys[0].public_key,
        receipt_key=known.receipt_key,
        predecessor=None,
        sign=root.sign,
    )


def test_the_doctor_compares_the_genesis_file_with_root_key_and_first_record(authority):
    """As it was made: nothing. Changed, added to, replaced by one that the root key did endorse: each is found."""
    path = authority.folder / "keys" / "genesis.json"
    made = path.read_bytes()
    members = json.loads(made)
    good = _finding(authority, "first record")
    assert (good["status"], good["detail"]) == ("ok", "as the root key endorsed it and genesis.json has it")

    for changed, told in (
        ({**members, "authority_id": "other"}, "is not what the root key endorsed"),
        ({**members, "receipt_key": members["root_key"]}, "is not what the root key endorsed"),
        ({**members, "salt": "x"}, "has a member `salt` that nobody endorsed"),
        (_endorse(authority, "other"), "differs from the log's first record in authority_id, root_signature"),
    ):
        path.write_bytes(canonical.encode(changed) + b"\n")
        found = _finding(authority, "first record")
        assert (found["status"], told in found["detail"]) == ("failed", True), found
        assert "restore it" in found["hint"]

    path.write_bytes(made)
    assert _finding(authority, "first record") == good


def test_an_authority_does_not_start_with_a_genesis_file_that_nobody_endorsed(tmp_path):
    """A log that began with it would never verify: nothing is recorded, and the file as it was made begins one."""
    made = Authority(tmp_path / "a")
    with made:
        pass
    fresh = Authority(tmp_path / "b")
    subprocess.run([program("sealgate"), "init", fresh.folder, *fresh.INIT_OPTIONS], check=True, capture_output=True)
    path = fresh.folder / "keys" / "genesis.json"
    own = path.read_bytes()
    foreign = (made.folder / "keys" / "genesis.json").read_bytes()  # the same names, endorsed, but of other keys

    for changed in (foreign, own.replace(b'"predecessor":null', b'"predecessor":"x"'), b"{}\n"):
        assert changed != own
        path.write_bytes(changed)
        with pytest.raises(UnavailableError, match=r"trust\.json"):
            fresh.start()
        assert "is not what the root key endorsed" in fresh.log_file.read_text("utf-8")
        assert "Traceback" not in fresh.log_file.read_text("utf-8")
        fresh.log_file.unlink()

    path.write_bytes(own)
    with fresh:
        _until((fresh.folder / "log" / "checkpoint").exists)
        assert _finding(fresh, "first record")["status"] == "ok"


def test_the_doctor_tells_of_a_log_that_is_not_published(authority, tmp_path):
    """Decisions go on without it, so the authority is ready; that its log stands still is a failure all the same."""
    rules = tmp_path / "rules"
    (rules / "policies").mkdir(parents=True)
    (rules / "tools").mkdir()
    tool = {"server": "s", "tools": [{"name": "x", "inputSchema": {"type": "object", "properties": {}}}]}
    (rules / "tools" / "s.json").write_text(json.dumps(tool), "utf-8")
    (rules / "policies" / "all.cedar").write_text('@id("all")\npermit (principal, action, resource);\n', "utf-8")
    authority.publish(rules)
    assert _finding(authority, "authority") == {
        "check": "authority",
        "status": "ok",
        "detail": "running and able to record",
        "hint": "",
    }
    staging = authority.folder / "staging"
    staging.rename(tmp_path / "aside")
    staging.write_text("no folder", "utf-8")
    authority.publish(rules)
    _until(lambda: json.loads(authority.get("/readyz")[1])["checks"]["ledger"] != "ok")

    assert authority.get("/readyz")[0] == 200
    found = _finding(authority, "authority")
    assert (found["status"], "decisions are recorded, but ledger: " in found["detail"]) == ("failed", True), found

    staging.unlink()
    (tmp_path / "aside").rename(staging)
    _until(lambda: _finding(authority, "authority")["status"] == "ok")


@contextlib.contextmanager
def _answering(path, answer):
    """Listen where the vault did; give every request ``answer``, or let it wait where that is None."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        held = []

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                held.append(connection)
                connection.recv(65536)
                if answer is not None:
                    connection.sendall(answer)
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in held:
                connection.close()
            path.unlink()


def _http(status, body):
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\ncontent-type: application/json\r\n\r\n%s" % (
        status,
        len(body),
        body,
    )


def test_the_doctor_waits_for_a_process_that_is_being_started(authority, monkeypatch):
    """One asks right after `sealgate serve`: what is not there yet is no failure. What never comes is told."""
    process = _held_while_it_starts(authority)
    found = loading.load(authority.configuration)
    monkeypatch.setattr(_running, "_STARTING_S", 60)
    monkeypatch.setattr(_running, "_ASK_TIMEOUT_S", 60)
    timer = threading.Timer(2, os.kill, (process, signal.SIGCONT))
    try:
        with monkeypatch.context() as patch:
            patch.setattr(_running, "_STARTING_S", 0.5)
            (late,) = _running.evidence(found)
        began = time.monotonic()
        timer.start()
        (waited_for,) = _running.evidence(found)
    finally:
        timer.join(60)
        os.kill(process, signal.SIGCONT)

    assert (late.status, late.detail) == ("warning", "it is being started")
    assert (waited_for.status, waited_for.detail) == ("ok", "running, and it follows the journal")
    assert time.monotonic() - began > 1.9


def _held_while_it_starts(authority):
    """Start the authority and stop its evidence service before it serves; anew where a busy machine was too late."""
    for _ in range(10):
        authority.stop()
        authority.start()
        _until(lambda: len(_evidence_processes(authority)) == 1)
        (process,) = _evidence_processes(authority)
        stand_still(process)
        if json.loads(authority.get("/readyz")[1])["checks"]["child evidence"] == "starting":
            return process
        os.kill(process, signal.SIGCONT)
    pytest.fail("no start was told")


def _evidence_processes(authority):
    """Return the evidence services among the authority's children."""
    found = []
    for pid in children(authority.pid):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if b"evidence" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                found.append(pid)
    return found


def test_the_doctor_asks_the_vault(authority):
    """It runs: fine. It is gone, does not answer, answers an error or something else than a vault does: a failure."""
    path = authority.folder / "vault" / "vault.sock"
    up = _finding(authority, "vault")
    assert (up["status"], up["detail"]) == ("ok", "running")
    aside = path.rename(path.with_name("moved.sock"))

    gone = _finding(authority, "vault")
    assert (gone["status"], gone["detail"]) == ("failed", "not running: there is no socket")
    for answer, told in (
        (_http(503, b'{"error":{}}'), "status 503"),
        (_http(200, b'{"status":"no"}'), "status 200, and not the answer"),
        (_http(200, b'{"ready":true,"checks":{}}'), "status 200, and not the answer"),
        (_http(200, b"<html>"), "status 200, and not the answer"),
        (_http(503, b"[]"), "status 503"),
        (b"SSH-2.0-x\r\n", "the socket does not answer"),
        (None, "the socket does not answer"),
    ):
        with _answering(path, answer):
            wrong = _finding(authority, "vault")
        assert (wrong["status"], told in wrong["detail"]) == ("failed", True), wrong
        assert wrong["hint"]

    aside.rename(path)
    assert _finding(authority, "vault") == up
    authority.stop()
    alone = _finding(authority, "vault")
    assert (alone["status"], alone["detail"]) == ("warning", "not running: there is no socket")


def _endorsements(authority, *flags):
    """Return what the doctor says of the witnesses and the timestamps with these settings."""
    found = loading.load(authority.configuration, {}, flags)
    return {each.check: (each.status, each.detail) for each in _published.endorsed(found)}


def test_the_doctor_tells_how_far_behind_endorsements_are(authority, tmp_path, monkeypatch):
    """Nobody configured: nothing. All covered, not yet, not for long: each is told; so is a quorum of nobody."""
    authority.stop()  # its log is all that is looked at, and stands still now
    (roots := tmp_path / "roots.pem").touch()
    stamped = ("timestamps.url=http://127.0.0.1:9/", f"timestamps.roots={roots}", "timestamps.interval_s=300")
    quorum = "ledger.witness_quorum=1"
    assert _endorsements(authority) == {}

    key = notes.VerifierKey("w.example", notes.COSIGNATURE_ED25519, SeedSigner("witness").public_key).encode()
    with authority.configuration.open("a", encoding="utf-8") as file:
        file.write(f'\n[[witness]]\nurl = "http://127.0.0.1:9/"\nvkey = "{key}"\n')
    status, detail = _endorsements(authority)["witnesses"]
    assert (status, "`ledger.witness_quorum` is 0" in detail) == ("warning", True)

    log = authority.folder / "log"
    size = _published.size_of(DirectoryLog(log))
    young = _endorsements(authority, quorum, *stamped)
    assert {status for status, _ in young.values()} == {"ok"}
    assert f"the newest {size} records are not covered" in young["witnesses"][1]

    real = time.time
    monkeypatch.setattr(_published.time, "time", lambda: real() + 200)
    old = _endorsements(authority, quorum, *stamped)
    assert [old[name][0] for name in ("witnesses", "timestamps")] == ["warning", "ok"]
    monkeypatch.setattr(_published.time, "time", lambda: real() + 2_000)
    assert {status for status, _ in _endorsements(authority, quorum, *stamped).values()} == {"warning"}

    for path in ("checkpoint.witnessed", "checkpoint.timestamped"):
        (log / path).write_bytes((log / "checkpoint").read_bytes())
    covered = _endorsements(authority, quorum, *stamped)
    assert covered == dict.fromkeys(("witnesses", "timestamps"), ("ok", f"all {size} published records are covered"))
