"""Processes beside the authority: kept running, stopped first, never in its way."""

import asyncio
import contextlib
import json
import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from bench.ingest_world import children
from sealgate.cli import _children
from sealgate.cli._children import CHILDREN, Child, Supervisor
from sealgate.demo.authority import Authority

pytestmark = [
    # The HTTP client leaves a socket whose connection was refused to the collector of garbage.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.timeout(400),  # many processes are started, on a machine that may be busy
]


@pytest.fixture
def authority(tmp_path):
    """A running authority with its children."""
    with Authority(tmp_path / "a") as made:
        yield made


def _until(condition, timeout_s=60.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _with(authority, word):
    """Return the children of the authority that have a word in their command."""
    found = []
    for pid in children(authority.pid):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                found.append(pid)
    return found


def _collectors(authority):
    """Return the collector processes among the authority's children."""
    return _with(authority, b"collect")


def _evidence(authority):
    """Return the evidence services among the authority's children."""
    return _with(authority, b"evidence")


KILLED = "was killed by signal 9"


def _kill(authority, name, pids):
    """Kill a child; return its process id once readiness has told of it.

    How it ended is told until the next one serves. A busy machine may let us ask too late for that; then we kill again.
    """
    deadline = time.monotonic() + 60
    while True:
        (pid,) = pids(authority)
        os.kill(pid, signal.SIGKILL)
        while (told := _told(authority, name)) != KILLED and (told != "ok" or pids(authority) in ([], [pid])):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        if told == KILLED:
            return pid


def _up(path: Path) -> bool:
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://x") as client:
            return client.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def test_a_killed_collector_comes_back_and_the_authority_does_not_notice(authority):
    """Readiness tells of it; decisions' health does not depend on it; at the end no process is left."""
    socket = authority.folder / "collector.sock"
    _until(lambda: _up(socket))
    first = _kill(authority, "collector", _collectors)
    assert authority.get("/healthz")[0] == 200
    _until(lambda: _up(socket))
    (second,) = _collectors(authority)
    assert second != first

    authority.stop()

    assert not Path(f"/proc/{second}").exists()
    assert not socket.exists()


def test_evidence_leaves_the_processors_to_decisions(authority):
    """The evidence service runs at a lower priority than the authority; the collector does not."""
    _until(lambda: _up(authority.folder / "evidence" / "evidence.sock"))
    (evidence,) = _evidence(authority)
    (collector,) = _collectors(authority)
    _until(lambda: _told(authority) == "ok")
    ours, collectors = (os.getpriority(os.PRIO_PROCESS, pid) for pid in (authority.pid, collector))
    threads = [int(each.name) for each in Path(f"/proc/{evidence}/task").iterdir()]
    assert len(threads) > 1
    assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {min(19, ours + 10)}
    assert collectors == ours


def test_priorities_are_among_one_session_and_a_terminal_stops_nobody_but_the_authority(authority):
    """Linux divides processors among sessions first (sched(7), autogroup); Ctrl-C goes to a process group."""
    _until(lambda: _told(authority, "collector") == _told(authority) == "ok")
    started = children(authority.pid)
    helpers = [pid for pid in started if b"sealgate.cli._child" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    assert len(helpers) == 2
    for pid in helpers:
        assert os.getsid(pid) == os.getsid(authority.pid)
        assert os.getpgid(pid) == pid != os.getpgid(authority.pid)
        assert _ignores(pid, signal.SIGTTOU)  # in the background of a terminal with "stty tostop"
    assert not _ignores(authority.pid, signal.SIGTTOU)


def _ignores(pid, number):
    (mask,) = [
        line.split()[1]
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
        if line.startswith("SigIgn:")
    ]
    return bool(int(mask, 16) >> (number - 1) & 1)


def test_a_killed_authority_leaves_no_child_behind(authority):
    """Its next life finds the sockets free."""
    socket = authority.folder / "collector.sock"
    _until(lambda: _up(socket))
    (child,) = _collectors(authority)
    os.kill(authority.pid, signal.SIGKILL)
    _until(lambda: not Path(f"/proc/{child}").exists())
    authority.stop()
    authority.start()
    _until(lambda: _up(socket))


def test_only_what_is_configured_is_started(tmp_path):
    """An old file without the setting starts the authority alone; what `init` writes asks for the collector."""
    with Authority(tmp_path / "a") as authority:
        authority.stop()
        text = authority.configuration.read_text("utf-8")
        assert '\nenabled = "yes"\n' in text
        authority.configuration.write_text(text.replace('\nenabled = "yes"\n', "\n"), "utf-8")
        authority.start()
        assert children(authority.pid) == []
        assert b"child" not in authority.get("/readyz")[1]


def test_the_pause_grows_while_a_child_keeps_ending(monkeypatch, tmp_path):
    """It is not started in a tight loop; children are stopped in the order of the table."""
    stopped, starts = [], []
    real = _children._stop

    async def note(name, process):
        stopped.append(name)
        await real(name, process)

    monkeypatch.setattr(_children, "_stop", note)
    table = [Child("ends", ("--no-such-option",), lambda _: True)]

    async def run():
        supervisor = Supervisor(table, config_path=tmp_path / "none.toml", flags=(), first_pause_s=0.05)
        real_run = supervisor._run

        async def counted(child):
            starts.append(asyncio.get_running_loop().time())
            return await real_run(child)

        monkeypatch.setattr(supervisor, "_run", counted)
        supervisor.start()
        async with asyncio.timeout(100):
            while supervisor.restarts < 3:  # noqa: ASYNC110  # what is waited for is another process
                await asyncio.sleep(0.05)
        assert supervisor.states["ends"] == "ended with status 2"
        await supervisor.stop()
        assert supervisor.states["ends"] == "stopped"

    asyncio.run(run())

    assert len(starts) >= 3
    assert next(child.name for child in CHILDREN) == "collector"


def _told(authority, name="evidence"):
    """Return what readiness says of a child."""
    return json.loads(authority.get("/readyz")[1])["checks"][f"child {name}"]


def _start_and_ask(authority):
    """Start the authority and see that the evidence service is told as starting.

    Where the machine is so busy that it has served or failed before we ask, it is started anew.
    """
    for _ in range(10):
        authority.start()
        if _told(authority) == "starting":
            return
        authority.stop()
    pytest.fail("no start was told")


def test_a_child_that_keeps_failing_is_never_called_ok(tmp_path):
    """Between and during its starts readiness tells how the last one ended; it is ok once it serves, not before."""
    with Authority(tmp_path / "a") as authority:
        authority.stop()
        _start_and_ask(authority)
        _until(lambda: _told(authority) == "ok")  # control: this one comes up
        assert _up(authority.folder / "evidence" / "evidence.sock")
        authority.stop()
        store = authority.folder / "evidence"
        store.rename(tmp_path / "aside")
        store.write_text("no folder\n")  # so it fails at each start
        _start_and_ask(authority)
        seen, failed, before, began = {"starting"}, "ended with status 1", _failures(authority), time.monotonic()
        while failed not in seen or _failures(authority) < before + 3:
            seen.add(_told(authority))
            assert time.monotonic() < began + 60
        store.unlink()
        (tmp_path / "aside").rename(store)
        _until(lambda: _told(authority) == "ok")  # and so does this one, when what was wrong is right again
        assert _up(store / "evidence.sock")

    assert seen == {"starting", failed}


def _failures(authority):
    """Count how often the evidence service could not serve."""
    return authority.log_file.read_text("utf-8").count("evidence ended with status 1; starting it again")


def test_a_child_that_ends_after_it_was_ready_is_not_ok(authority):
    """How it ended stays told until the next one serves."""
    _until(lambda: _told(authority) == "ok")
    _kill(authority, "evidence", _evidence)
    told = [KILLED]
    deadline = time.monotonic() + 60
    while told[-1] != "ok":
        told.append(_told(authority))
        assert time.monotonic() < deadline

    assert set(told[:-1]) == {KILLED}
    assert _up(authority.folder / "evidence" / "evidence.sock")


def test_a_child_gets_a_small_environment(monkeypatch):
    """No credentials of the authority, no secrets that happen to be in the shell."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials")
    monkeypatch.setenv("SEALGATE_LOG_LEVEL", "debug")

    given = _children._environment()

    assert "AWS_SECRET_ACCESS_KEY" not in given
    assert "CREDENTIALS_DIRECTORY" not in given
    assert given["SEALGATE_LOG_LEVEL"] == "debug"
    assert "PATH" in given
