"""A real authority in a process of its own: ``sealgate init``, then ``sealgate serve`` on a Unix socket.

The demo and the benchmarks start it this way, so what they show and measure is what a user runs.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sealgate.model.errors import UnavailableError

_START_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 60.0
_EXCHANGE_TIMEOUT_S: Final = 60.0
_REST_S: Final = 0.1

MAX_SOCKET_PATH: Final = 100
"""A Unix socket's path may not be longer than 108 bytes on Linux; the rest is for its name."""


class Authority:
    """Starts on entering, stops on leaving. Everything it writes is below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder
        self.socket = folder / "sealgate.sock"
        self.log_file = folder.parent / f"{folder.name}.stderr"
        self._process: subprocess.Popen[bytes] | None = None
        if len(os.fsencode(self.socket)) > MAX_SOCKET_PATH:
            raise UnavailableError(f"path `{self.socket}` is too long for a Unix socket", hint="choose a shorter one")

    def __enter__(self) -> Self:
        if not self.configuration.is_file():
            run("init", self.folder, *self.INIT_OPTIONS)
        self.start()
        return self

    INIT_OPTIONS: Final = ("--origin", "demo.example/sealgate/1")

    @property
    def configuration(self) -> Path:
        """Return the path of the configuration that ``sealgate init`` wrote."""
        return self.folder / "sealgate.toml"

    @property
    def trust_file(self) -> Path:
        """Return the path of the public keys that a verifier is given."""
        return self.folder / "trust.json"

    @property
    def pid(self) -> int:
        """Return the process id of the running authority."""
        if self._process is None:
            raise UnavailableError("the authority is not running")
        return self._process.pid

    def start(self) -> None:
        """Start serving and wait until it is ready.

        Raises:
            UnavailableError: it ended, or was not ready in time; the message has its last words.
        """
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._is_up():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise UnavailableError(
                    f"the authority did not start: {self._last_words()}", hint=f"see {self.log_file}"
                )
            time.sleep(0.02)

    def _command(self) -> list[str | Path]:
        """Return what is run to serve; a test that kills it at a chosen point runs something else."""
        return [program("sealgate"), "serve", "--config", self.configuration]

    def _is_up(self) -> bool:
        try:
            return self.get("/healthz")[0] == http.client.OK
        except OSError:
            return False

    def _last_words(self) -> str:
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else "it said nothing"

    def stop(self) -> None:
        """Stop gracefully; kill only if that takes too long."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def publish(self, directory: Path) -> None:
        """Publish a policy directory as the policy set in force."""
        run("policy", "publish", directory, "--config", self.configuration)

    def get(self, path: str, *, key: str | None = None) -> tuple[int, bytes]:
        """Return status and body of a GET. See ``exchange``."""
        return self.exchange("GET", path, key=key)

    def post(self, path: str, content: Any, *, key: str | None = None) -> tuple[int, bytes]:
        """Return status and body of a POST of a JSON document. See ``exchange``."""
        return self.exchange("POST", path, content, key=key)

    def exchange(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> tuple[int, bytes]:
        """Return status and body of a request over the socket: of the API key's owner, else of the user that we are."""
        connection = _UnixConnection(self.socket)
        try:
            head = {} if key is None else {"Authorization": f"Bearer {key}"}
            if body is None:
                connection.request(method, path, headers=head)
            else:
                connection.request(method, path, json.dumps(body), {**head, "Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def receipt(self, record_id: str) -> dict[str, Any]:
        """Return the receipt of a record as the API gives it."""
        status, body = self.get(f"/v1/receipts/{record_id}")
        if status != http.client.OK:
            raise UnavailableError(f"no receipt for `{record_id}`: status {status}")
        receipt: dict[str, Any] = json.loads(body)
        return receipt

    def metric(self, name: str) -> float | None:
        """Return one unlabelled metric's value, or None where there is no such metric."""
        for line in self.get("/metrics")[1].decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        return None

    def metric_at_rest(self, name: str) -> float:
        """Return a counter once it stands still: outcomes are reported behind the answer that a client has.

        Raises:
            UnavailableError: it went on counting for ten seconds, or there is no such metric.
        """
        deadline = time.monotonic() + _EXCHANGE_TIMEOUT_S
        last = self.metric(name)
        while time.monotonic() < deadline:
            time.sleep(_REST_S)
            now = self.metric(name)
            if now is not None and now == last:
                return now
            last = now
        raise UnavailableError(f"metric `{name}` does not come to rest")

    def journal_bytes(self) -> int:
        """Return how many bytes of records the journal holds; zeros written ahead do not count."""
        files = [file for file in (self.data / "journal").rglob("*") if file.is_file()]
        return sum(len(file.read_bytes().rstrip(b"\0")) for file in files)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("sealgate", timeout=_EXCHANGE_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket file."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_EXCHANGE_TIMEOUT_S)
        self.sock.connect(str(self._path))


def program(name: str) -> Path:
    """Return the path of one of our programs: beside this Python, else on the search path."""
    beside = Path(sys.executable).with_name(name)
    found = beside if beside.is_file() else shutil.which(name)
    if found is None:
        raise UnavailableError(f"program `{name}` is not installed", hint="make setup")
    return Path(found)


def run(*arguments: str | Path) -> str:
    """Run ``sealgate`` with these arguments and return what it printed.

    Raises:
        UnavailableError: it failed; the message has what it said.
    """
    done = subprocess.run(
        [program("sealgate"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise UnavailableError(f"`sealgate {arguments[0]}` failed: {done.stderr.strip()[-800:]}")
    return done.stdout
