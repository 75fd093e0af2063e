"""The resident half: holds the connection to the authority, so that a call costs milliseconds.

One for each folder: it holds a lock as long as it lives, and a second one ends at once. It answers only its own user
(and root), refuses what it cannot read, and takes a bounded number of calls at a time; whoever is turned away is
refused by the hook program. A crash here refuses every call until the next hook starts it again.
"""

import contextlib
import fcntl
import os
import signal
import socket
import struct
import sys
import threading
from pathlib import Path
from typing import Final

from sealgate.hooks import frames, settings
from sealgate.hooks.judge import Judge
from sealgate.hooks.loopback import serve as serve_http
from sealgate.model.errors import InputError
from sealgate.sdk import Client

_MAX_CALLS: Final = 64
_LOOK_S: Final = 5.0
"""How often an idle daemon looks whether its socket is still there."""

_READ_TIMEOUT_S: Final = 10.0
_UCRED: Final = struct.Struct("3i")


def run(folder: Path) -> int:
    """Serve until told to end. Return 0; also where another daemon already does."""
    lock = os.open(folder / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    chosen = settings.read(folder)
    client = Client(
        agent="hooks",
        socket=chosen.socket,
        url=chosen.url,
        api_key_file=chosen.api_key_file,
        ca_file=chosen.ca_file,
        spool=chosen.spool,
        timeout_s=settings.TIMEOUT_S,
    )
    judge = Judge(client, chosen=chosen)
    if chosen.http_port:
        serve_http(judge, chosen.http_port, folder)
    with _listen(folder / "hook.sock") as listener, client:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # leaves `accept`, closes both
        _accept(listener, judge)
    return 0


def stop(folder: Path) -> bool:
    """End the daemon of a folder, so that the next call starts one with the settings of then; tell if there was one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(folder / "hook.sock"))
        except OSError:
            return False
        pid, uid, _ = _UCRED.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    if uid != os.getuid():
        return False
    os.kill(pid, signal.SIGTERM)
    return True


def start(folder: Path) -> None:
    """Start the daemon now; who calls the Unix socket need not, the hook program does."""
    command = (folder / "start").read_text("utf-8").split("\0")
    null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    os.posix_spawn(command[0], command, os.environ, file_actions=null, setsid=True)


def _listen(path: Path) -> socket.socket:
    """Listen where the hook program looks. A socket left behind by a dead daemon is taken over: we hold the lock."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    listener.bind(str(fresh))
    fresh.chmod(0o600)
    listener.listen(128)
    fresh.replace(path)
    return listener


def _accept(listener: socket.socket, judge: Judge) -> None:
    places = threading.BoundedSemaphore(_MAX_CALLS)
    path = Path(listener.getsockname()).with_suffix(".sock")
    listener.settimeout(_LOOK_S)
    while True:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            if path.is_socket():
                continue
            return  # the folder is gone: nobody can find us any more
        except OSError:
            return
        if not places.acquire(blocking=False):
            connection.close()
            continue
        threading.Thread(target=_serve, args=(connection, judge, places), daemon=True).start()


def _serve(connection: socket.socket, judge: Judge, places: threading.BoundedSemaphore) -> None:
    try:
        with connection, contextlib.suppress(OSError, InputError):
            connection.settimeout(_READ_TIMEOUT_S)
            if _peer(connection) not in (os.getuid(), 0):
                return
            with connection.makefile("rb") as file:
                head = frames.read_head(file.readline(frames.MAX_HEAD_BYTES).removesuffix(b"\n"))
                data = file.read(head.length)
            if len(data) == head.length:
                connection.sendall(frames.answer(head.nonce, judge.answer(head.host, head.phase, data)))
    finally:
        places.release()


def _peer(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    uid: int = _UCRED.unpack(credentials)[1]
    return uid


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))
