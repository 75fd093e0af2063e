"""The evidence service and its clients, killed with exports in their hands: no file that is left says what was in them.

But for the directory of a log's export that says of itself that it is not finished.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import pytest

from bench.ingest_world import children
from sealgate.demo.authority import Authority
from sealgate.model.errors import NotPermittedError, SealgateError, UnavailableError
from sealgate.sdk.evidence import EvidenceClient

pytestmark = [
    # The HTTP client leaves a socket whose connection was refused to the collector of garbage.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.timeout(600),
]

SEALGATE = str(Path(sys.executable).with_name("sealgate"))
EVENTS = 2000
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - where exports once were
MARK = f"the heron of {uuid.uuid4().hex} waits".encode()
"""Of this run alone: other installations on this machine may be at work."""

POLICY = '[defaults]\ncontent = "keep"\ntext = "keep"\n'
AGENT = """
import sys
import sealgate
from sealgate.sdk.default import default_client
with sealgate.session(framework="own"), sealgate.task("say it", id="task-heron"):
    for number in range(int(sys.argv[2])):
        sealgate.log_event("noted", {"text": f"{number} {sys.argv[1]} {'x' * 2000}"})
sys.exit(default_client().flush(60))  # nobody else would send what is left
"""


NAMING = """
import sys
from pathlib import Path
from sealgate.sdk.evidence import EvidenceClient
with EvidenceClient(socket=sys.argv[1], reason="test") as client, Path(sys.argv[2]).open("xb") as file:
    client.export_into(file, {"task_id": "task-heron"})
"""


class KeepingAuthority(Authority):
    """One whose privacy policy keeps what agents say, so that it can be searched for."""

    def _command(self):
        policy = self.folder / "privacy.toml"
        policy.write_text(f"version = 1\n\n{POLICY}", "utf-8")
        policy.chmod(0o600)
        return [*super()._command(), "--set", f"privacy.policy={policy}"]


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory):
    """An installation at work, whose agent has said the mark many times and whose evidence has all of it."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "tmp").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder / "tmp"))  # the service is given it, and what it puts there is searched
        with KeepingAuthority(folder / "sg") as authority:
            environment = {
                **os.environ,
                "SEALGATE_AGENT": "heron-agent",
                "SEALGATE_SOCKET": str(authority.socket),
                "SEALGATE_COLLECTOR_SOCKET": str(authority.folder / "collector.sock"),
                "SEALGATE_SPOOL": str(folder / "spool"),
                "SEALGATE_PRIVACY": str(authority.folder / "privacy.toml"),
            }
            said = [sys.executable, "-c", AGENT, MARK.decode()]
            _until((authority.folder / "collector.sock").exists)
            subprocess.run([*said, str(EVENTS)], check=True, env=environment, timeout=300)
            with _client(authority) as client:
                _until(lambda: _counted(client) >= EVENTS)
            yield folder, authority


def _client(authority):
    return EvidenceClient(socket=authority.folder / "evidence" / "evidence.sock", reason="test")


def _counted(client):
    try:
        return client.aggregate({"task_id": "task-heron"})["table"]["rows"][0][0]
    except UnavailableError:
        return 0


def _until(condition, timeout_s=60.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _service(authority):
    """Return the process id of the evidence service."""
    (found,) = [pid for pid in children(authority.pid) if b"evidence" in _read(f"/proc/{pid}/cmdline").split(b"\0")]
    return found


def _read(path):
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def _saying(*folders):
    """Return the files that have the mark."""
    # Not by `rglob`, which fails at a directory that goes while it looks.
    files = [Path(at, name) for folder in folders for at, _, names in os.walk(folder) for name in names]
    return [path for path in files if path.is_file() and not path.is_symlink() and MARK in _read(path)]


def _held(pid):
    """Return the files that a process has open without any name, and that have the mark."""
    return [path for path in _nameless(pid) if MARK in _read(path)]


def _nameless(pid):
    """Return the files that a process has open without any name; one that it closes just now is none."""
    found = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if "(deleted)" in str(path.readlink()):
                found.append(path)
    return found


def _again(authority, killed):
    """Wait for the next evidence service; it answers."""
    _until(
        lambda: any(pid != killed and b"evidence" in _read(f"/proc/{pid}/cmdline") for pid in children(authority.pid))
    )
    with _client(authority) as client:
        _until(lambda: _counted(client) >= EVENTS)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_service_killed_after_an_export_leaves_nothing_readable(site, tmp_path, form):
    """The export could be fetched and is held in memory; once its process is gone no file says what was in it."""
    folder, authority = site
    pid = _service(authority)
    with _client(authority) as client:
        made = client.export(tmp_path / "fetched", {"task_id": "task-heron"}, format=form)["export"]
        assert (tmp_path / "fetched").read_bytes().count(MARK) >= EVENTS
        assert len(_held(pid)) == 1
        assert _saying(folder, IN_MEMORY) == []

        os.kill(pid, signal.SIGKILL)
        _until(lambda: not Path(f"/proc/{pid}").exists())

        assert _saying(folder, IN_MEMORY) == []
    _again(authority, pid)
    assert _saying(folder, IN_MEMORY) == []
    with _client(authority) as client, pytest.raises(NotPermittedError) as refused:
        client._send("GET", f"/v1/exports/{made['export_id']}/parts/0", None)
    assert refused.value.code == "export-unknown"


def test_a_service_killed_while_it_exports_leaves_nothing_readable(site, tmp_path):
    """It is stopped with a part of the export written and then killed; the next one leaves it so, and exports again."""
    folder, authority = site
    pid = _stopped_while_exporting(authority)
    assert _held(pid)
    assert _saying(folder, IN_MEMORY) == []

    os.kill(pid, signal.SIGKILL)
    _until(lambda: not Path(f"/proc/{pid}").exists())

    assert _saying(folder, IN_MEMORY) == []
    _again(authority, pid)
    assert _saying(folder, IN_MEMORY) == []
    with _client(authority) as client:
        client.export(tmp_path / "fetched", {"task_id": "task-heron"}, format="csv")
    assert (tmp_path / "fetched").read_bytes().count(MARK) >= EVENTS


def _stopped_while_exporting(authority):
    """Return the process id of a service that stands still in the middle of an export."""
    pid = _service(authority)
    for _ in range(8):
        answers = []
        threading.Thread(target=_ask, args=(authority, answers), daemon=True).start()
        before = len(_held(pid))
        while len(_held(pid)) <= before and not answers:
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.002)
            os.kill(pid, signal.SIGSTOP)
        time.sleep(0.1)
        if not answers:
            return pid
        os.kill(pid, signal.SIGCONT)
    raise AssertionError("each export was done before it could be stopped")


def _ask(authority, answers):
    """Ask for an export and tell how that ended, which for one whose service dies is an error."""
    with _client(authority) as client:
        try:
            answers.append(client._post("/v1/exports", {"filter": {"task_id": "task-heron"}, "format": "csv"}))
        except SealgateError as error:
            answers.append(error)


def _left(folder):
    """Return all that is in a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def _killed_at(command, out, there):
    """Kill a program in a moment that ``there`` tells; one that is done first runs again without what it made."""
    for tried in range(60):
        _cleared(out)
        # On a busy machine it gets on slowly, and whoever looks is there in time.
        process = subprocess.Popen(["nice", "-n19", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            os.kill(process.pid, signal.SIGSTOP)
            # The signal is not the stop: what it does meanwhile would be seen half, or come after the look.
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            if there(process.pid):
                process.kill()
                process.wait(60)
                return
            os.kill(process.pid, signal.SIGCONT)
            time.sleep(0.001 / (1 + tried))
    raise AssertionError("each program was done before it could be killed")


def _cleared(out):
    """Remove what a program that was done too early has made."""
    if out.is_dir():
        shutil.rmtree(out)
    out.unlink(missing_ok=True)


def _exporting(authority, *arguments):
    command = [SEALGATE, "export", *map(str, arguments), "--task-id", "task-heron", "--reason", "test", "--json"]
    return [*command, "--config", str(authority.folder)]


def test_a_client_killed_while_it_fetches_leaves_no_file(site, tmp_path):
    """It had a part of the export in a file without a name; the same command makes it whole."""
    folder, authority = site
    out = tmp_path / "out.jsonl"
    command = _exporting(authority, out)
    seen = []

    def fetching(pid):
        seen[:] = _left(tmp_path)
        return _held(pid) and not seen  # with its name it would be whole, and the program as good as done

    _killed_at(command, out, fetching)

    assert (seen, _left(tmp_path)) == ([], [])
    assert _saying(folder, IN_MEMORY) == []
    made = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["export"]
    assert _left(tmp_path) == ["out.jsonl"]
    whole = out.read_bytes()
    assert (len(whole), hashlib.sha256(whole).hexdigest()) == (made["bytes"], made["digest"])
    assert whole.count(MARK) >= EVENTS


def test_a_client_that_names_its_file_first_is_found(site, tmp_path):
    """Positive control: killed in the same way, a program that fetches into a named file leaves a part that says it."""
    _, authority = site
    out = tmp_path / "out.jsonl"
    command = [sys.executable, "-c", NAMING, str(authority.folder / "evidence" / "evidence.sock"), str(out)]

    _killed_at(command, out, lambda _pid: 0 < _read(out).count(MARK) < EVENTS)  # a whole file would be no part

    assert _saying(tmp_path) == [out]
    assert out.read_bytes().count(MARK) < EVENTS


def _exporting_log(authority, out, *more):
    command = [SEALGATE, "log", "export", str(authority.folder), str(out), "--bodies", "--reason", "test", "--json"]
    return [*command, *more]


def test_an_export_of_a_log_killed_before_it_has_bodies_leaves_a_mark_alone(site, tmp_path):
    """The bundle that the bodies come from has no name; the same command makes the export whole."""
    folder, authority = site
    out = tmp_path / "out"
    seen = []

    def fetching(pid):
        seen[:] = _left(tmp_path)
        return seen == ["out", "out/UNFINISHED"] and _bundles(pid)

    _killed_at(_exporting_log(authority, out), out, fetching)

    assert _left(tmp_path) == ["out", "out/UNFINISHED"]
    assert out.stat().st_mode & 0o777 == 0o700
    assert _saying(folder, IN_MEMORY, tmp_path) == []
    assert subprocess.run(_exporting_log(authority, out), check=False, capture_output=True).returncode == 0
    assert not (out / "UNFINISHED").exists()
    assert (out / "checkpoint").exists()
    assert sum(path.read_bytes().count(MARK) for path in (out / "body").rglob("*") if path.is_file()) >= EVENTS


def _bundles(pid):
    """Return the files without a name that hold the archive."""
    return [path for path in _nameless(pid) if _read(path).startswith(b"PK")]


def test_an_export_of_a_log_killed_with_bodies_is_named_unfinished_and_cleared(site, tmp_path):
    """No command takes it for a log; the next run clears it first, also one that is refused."""
    folder, authority = site
    out = tmp_path / "out"
    _killed_at(_exporting_log(authority, out), out, lambda _pid: _saying(out) and not (out / "checkpoint").exists())

    assert _saying(tmp_path)  # what it is about: the bodies are there
    assert (out / "UNFINISHED").exists()
    assert _saying(folder, IN_MEMORY) == []
    checked = subprocess.run([SEALGATE, "log", "fsck", str(out)], check=False, capture_output=True, text=True)
    assert checked.returncode != 0
    assert "not finished" in checked.stderr

    refused = _exporting_log(authority, out, "--role", "nobody")
    assert subprocess.run(refused, check=False, capture_output=True).returncode != 0
    assert _left(tmp_path) == ["out"]

    subprocess.run(_exporting_log(authority, out), check=True, capture_output=True)
    assert subprocess.run([SEALGATE, "log", "fsck", str(out)], check=False, capture_output=True).returncode == 0


def test_the_search_finds_a_file_that_says_it(tmp_path):
    """Positive control: the mark, planted in either place, is found."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as planted:
        for folder in (tmp_path, Path(planted)):
            (folder / "export").write_bytes(b"x" * 999 + MARK)
        assert set(_saying(tmp_path, IN_MEMORY)) == {tmp_path / "export", Path(planted) / "export"}
