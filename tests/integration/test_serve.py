"""The server as a process: start, signals, the socket's modes, what is left behind."""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import sys
import termios
import time

import httpx
import pytest

from sealgate.model.errors import ConfigurationError
from sealgate.server.bounds import STOP_TIMEOUT_S
from sealgate.server.listeners import UnixListener, close_unix, open_unix

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUESTION = {
    "subject": {"type": "agent", "id": "a1"},
    "action": {"name": "send_money"},
    "resource": {"type": "tool_server", "id": "bank"},
}


@contextlib.contextmanager
def _process(path: pathlib.Path):
    """Run a server over the in-memory authority until the block ends."""
    process = subprocess.Popen([sys.executable, "-m", "bench.twin", str(path)], stderr=subprocess.PIPE, cwd=ROOT)
    try:
        _until(lambda: _answers(path))
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def _until(condition) -> None:
    """Wait for what another process does in its own time."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _answers(path: pathlib.Path) -> bool:
    with socket.socket(socket.AF_UNIX) as raw:
        return raw.connect_ex(str(path)) == 0


def _client(path: pathlib.Path) -> httpx.Client:
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost", timeout=60)


def _ask(path: pathlib.Path, action: str) -> socket.socket:
    """Send a question and return the connection without waiting for the answer."""
    body = json.dumps(QUESTION | {"action": {"name": action}}).encode()
    raw = socket.socket(socket.AF_UNIX)
    raw.settimeout(60)
    try:
        raw.connect(str(path))
    except OSError:
        raw.close()
        raise
    raw.sendall(
        b"POST /access/v1/evaluation HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )
    return raw


def _all_read(raw: socket.socket) -> bool:
    """Tell whether the other process has taken all that was sent to it."""
    return not int.from_bytes(fcntl.ioctl(raw, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def _in_flight(path: pathlib.Path) -> bool:
    with _client(path) as client:
        return "sealgate_decisions_in_flight 1" in client.get("/metrics").text


def test_sigterm_ends_with_zero_and_leaves_no_socket(tmp_path):
    """An idle server stops at once, although a caller keeps its connection open."""
    path = tmp_path / "run" / "s.sock"
    with _process(path) as process, _client(path) as client:
        assert client.post("/access/v1/evaluation", json=QUESTION).json()["decision"] is True
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)

        assert process.wait(60) == 0
        assert time.monotonic() - started < STOP_TIMEOUT_S
        assert not path.exists()


def test_an_answer_under_way_is_given_before_the_end(tmp_path):
    """SIGTERM: nobody new gets in, the decision that waits is answered, then the process ends with 0."""
    path = tmp_path / "run" / "s.sock"
    with _process(path) as process, _ask(path, "slow") as raw:
        _until(lambda: _in_flight(path))
        process.send_signal(signal.SIGTERM)
        _until(lambda: not path.exists())
        with pytest.raises(OSError, match=r"No such file|refused"):
            _ask(path, "send_money")
        time.sleep(0.2)
        assert process.poll() is None

        process.send_signal(signal.SIGUSR1)  # the twin lets it go
        answer = raw.recv(65536)

        assert b" 200 OK" in answer
        assert b"connection: close" in answer
        assert process.wait(60) == 0


def test_a_decision_asked_while_stopping_is_silence(tmp_path):
    """On a connection that is still open a new question gets its answer: no."""
    path = tmp_path / "run" / "s.sock"
    with _process(path) as process, _ask(path, "slow") as raw:
        _until(lambda: _in_flight(path))
        process.send_signal(signal.SIGTERM)
        _until(lambda: not path.exists())
        body = json.dumps(QUESTION).encode()
        raw.sendall(
            b"POST /access/v1/evaluation HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        _until(lambda: _all_read(raw))
        process.send_signal(signal.SIGUSR1)
        received = b""
        while part := raw.recv(65536):
            received += part

        assert received.count(b" 200 OK") == 2
        assert received.count(b'"decision":true') == 1
        assert b'"reason":"stopping"' in received
        assert process.wait(60) == 0


def test_a_second_signal_does_not_wait(tmp_path):
    """An operator in a hurry is obeyed; the exit status says that an answer was lost."""
    path = tmp_path / "run" / "s.sock"
    with _process(path) as process, _ask(path, "slow_forever"):
        _until(lambda: _in_flight(path))
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _until(lambda: not path.exists())  # two signals that wait together are one
        time.sleep(0.2)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)

        assert process.wait(60) == 3
        assert time.monotonic() - started < STOP_TIMEOUT_S


def test_the_socket_is_for_us_alone(tmp_path):
    """Directory 0700 and socket 0600, made so even under a careless umask."""
    before = os.umask(0)
    try:
        listener = UnixListener(tmp_path / "run" / "s.sock")
        with open_unix(listener):
            modes = [stat.S_IMODE(path.stat().st_mode) for path in (listener.path.parent, listener.path)]
    finally:
        os.umask(before)

    assert modes == [0o700, 0o600]


def test_a_group_may_be_let_in(tmp_path):
    """Then the directory is 0750 and the socket 0660, of that group."""
    import grp

    group = grp.getgrgid(os.getegid())
    listener = UnixListener(tmp_path / "run" / "s.sock", group=group.gr_name)
    with open_unix(listener):
        found = listener.path.stat()

    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, group.gr_gid)
    assert stat.S_IMODE(listener.path.parent.stat().st_mode) == 0o750


def test_an_open_directory_is_refused(tmp_path):
    """Whoever may rename in the directory could put another socket in our place."""
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(0o755)

    with pytest.raises(ConfigurationError, match="open to others"):
        open_unix(UnixListener(folder / "s.sock"))


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path):
    """After a crash the name is taken over; while somebody listens it is not; a file is never removed."""
    listener = UnixListener(tmp_path / "run" / "s.sock")
    with open_unix(listener), pytest.raises(ConfigurationError, match="another process"):
        open_unix(listener)
    with open_unix(listener):
        close_unix(listener)
    listener.path.write_text("a file")

    with pytest.raises(ConfigurationError, match="not a socket"):
        open_unix(listener)
    assert listener.path.read_text() == "a file"


_SERVE = """
import pathlib, sys, types
from bench.twin import Resolver, Twin
from sealgate.server.listeners import Listeners, UnixListener

def open_authority(configuration, flags):
    path = pathlib.Path(configuration.read_text(encoding="utf-8"))
    return Twin(), Resolver(), Listeners(unix=UnixListener(path))

wiring = types.ModuleType("sealgate.cli._wiring")
wiring.open_authority = open_authority
wiring.open_children = lambda configuration, flags: None
sys.modules[wiring.__name__] = wiring
sys.argv = ["sealgate", "serve", "--config", sys.argv[1], "--access-log", "all"]
from sealgate.cli import main
main()
"""


def test_sealgate_serve(tmp_path):
    """The command opens what the configuration names, logs requests when asked, obeys SIGTERM and tells systemd."""
    configuration, path = tmp_path / "sealgate.toml", tmp_path / "run" / "s.sock"
    configuration.write_text(str(path), encoding="utf-8")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(configuration)],
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "PYTHONPATH": str(ROOT)},
        )
        assert systemd.recv(100) == b"READY=1"
        with _client(path) as client:
            assert client.post("/access/v1/evaluation", json=QUESTION).json()["decision"] is True
        process.send_signal(signal.SIGTERM)
        assert systemd.recv(100) == b"STOPPING=1"
        _, log = process.communicate(timeout=60)

    assert process.returncode == 0
    (line,) = [json.loads(line) for line in log.splitlines() if line.startswith(b"{")]
    assert (line["route"], line["status"]) == ("/access/v1/evaluation", 200)


def test_a_listener_that_cannot_be_opened_ends_the_start(tmp_path):
    """One line says why; the status is 1 and nothing was served."""
    configuration, path = tmp_path / "sealgate.toml", tmp_path / "run" / "s.sock"
    configuration.write_text(str(path), encoding="utf-8")
    path.parent.mkdir()
    path.parent.chmod(0o777)

    done = subprocess.run(
        [sys.executable, "-c", _SERVE, str(configuration)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "open to others" in done.stderr
    assert "Traceback" not in done.stderr
