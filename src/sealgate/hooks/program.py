"""What the host starts for each tool call. Imports nothing of ours: start-up is most of what a call costs.

``python -I -S -B program.py PHASE HOST FOLDER SECONDS``: sends standard input to the daemon whose socket is in FOLDER
and does what it answers. The exit status carries the decision, so that no output, cut or lost, can become a permit. It
is a number that nothing else ends with (not a missing, an empty or a crashed program), and the command in the host's
settings turns it into the host's: PASS only after a whole and well-formed answer said so, REFUSE in all other cases.

PHASE is ``before`` or ``after`` a tool's run. After it nothing can be refused any more, so a failure ends with WARN.
Where there is a Perl, ``program.pl`` is started instead, and becomes this program where no daemon answers.
"""

import os
import sys

import _signal  # type: ignore[import-not-found]
import _socket

TYPE_CHECKING = False  # the real one costs more to import than all of this
if TYPE_CHECKING:
    from typing import NoReturn

MAX_INPUT = 8 * 1024 * 1024
MAX_ANSWER = 1024 * 1024
CONNECT_PAUSE_S = 0.02
PASS, WARN, REFUSE = 90, 91, 92  # ``settings.command`` knows them, and ``program.pl``

_phase = "before"


def refuse(what: str) -> "NoReturn":
    """Refuse, in the one form that every host understands: a status and words. Codex and Gemini take none alone."""
    status = WARN if _phase == "after" else REFUSE
    try:
        os.write(2, f"sealgate: no decision ({what}), so the tool does not run\n".encode("utf-8", "replace"))
    finally:
        os._exit(status)


def fail(what: str) -> "NoReturn":
    """Refuse when input may be left. It is read first: a host that cannot write all may take the hook for broken."""
    try:
        while os.read(0, 1 << 16):
            pass
    finally:
        refuse(what)


def on_alarm(number: int, frame: object) -> None:
    """Our own time is over, long before the host's."""
    del number, frame
    refuse("time is over")


def read_input() -> bytes:
    """Return all of standard input."""
    parts: list[bytes] = []
    size = 0
    while True:
        part = os.read(0, 1 << 20)
        if not part:
            return b"".join(parts)
        size += len(part)
        if size > MAX_INPUT:
            fail("the input is too large")
        parts.append(part)


def require_private(folder: str) -> int:
    """Return the folder's owner, who must be the one that answers; refuse a folder that others may write to."""
    status = os.stat(folder)
    if status.st_mode & 0o022:
        fail("the hook's folder is writable by others")
    return status.st_uid


def connect(folder: str, owner: int) -> _socket.socket:
    """Return a connection to the daemon; start it where it does not run and is ours to start."""
    path = folder + "/hook.sock"
    started: int | None = None
    while True:
        client = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            client.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            client.close()
            if owner != os.getuid():
                fail("the daemon does not run")
            if started is None:
                started = start_once(folder)
            pause(CONNECT_PAUSE_S)
        else:
            peer = client.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
            if int.from_bytes(peer[4:8], sys.byteorder) != owner:
                fail("a stranger holds the daemon's socket")
            return client


def start_once(folder: str) -> int:
    """Start the daemon unless somebody else is at it; the lock ends with this process."""
    import fcntl  # noqa: PLC0415  # only here: it is a file of its own to load

    lock = os.open(folder + "/start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return lock
    with open(folder + "/start", encoding="utf-8") as file:
        command = file.read().split("\0")
    if os.fork() == 0:
        try:
            os.setsid()
            null = os.open("/dev/null", os.O_RDWR)
            for number in range(3):
                os.dup2(null, number)
            os.closerange(3, 1024)
            os.execv(command[0], command)  # noqa: S606  # our own daemon
        finally:
            os._exit(127)
    return lock


def pause(seconds: float) -> None:
    """Wait a little."""
    import time  # noqa: PLC0415  # only while the daemon starts

    time.sleep(seconds)


def receive(client: _socket.socket) -> bytes:
    """Return all that the daemon sends until it closes."""
    parts: list[bytes] = []
    size = 0
    while True:
        part = client.recv(1 << 16)
        if not part:
            return b"".join(parts)
        size += len(part)
        if size > MAX_ANSWER:
            fail("the answer is too large")
        parts.append(part)


def read_answer(answer: bytes, nonce: bytes) -> tuple[int, bytes, bytes]:
    """Return (status, output, error text) of a whole answer to our very question; anything else is refused."""
    head, _, rest = answer.partition(b"\n")
    words = head.split(b" ")
    end = b"\nend " + nonce
    if len(words) != 5 or words[0] != b"SG1" or words[1] != nonce or words[2] not in (b"0", b"1", b"2"):
        fail("the answer is unreadable")
    if not (words[3].isdigit() and words[4].isdigit()):
        fail("the answer is unreadable")
    output, error = int(words[3]), int(words[4])
    if (words[2] == b"1" and _phase != "after") or (words[2] == b"2" and not error):
        fail("the answer is unreadable")
    if len(rest) != output + error + len(end) or not rest.endswith(end):
        fail("the answer is not whole")
    return int(words[2]), rest[:output], rest[output : output + error]


def write_all(number: int, data: bytes) -> None:
    """Write all of it."""
    while data:
        data = data[os.write(number, data) :]


def main() -> None:
    """Ask and obey."""
    global _phase  # one process, one call
    _phase, host, folder, seconds = sys.argv[1:]
    for number in range(3):
        os.fstat(number)  # were one closed, the socket would take its number
    _signal.signal(_signal.SIGALRM, on_alarm)
    _signal.setitimer(_signal.ITIMER_REAL, float(seconds))
    question = read_input()
    owner = require_private(folder)
    nonce = os.urandom(8).hex().encode()
    client = connect(folder, owner)
    client.sendall(b"SG1 %s %s %s %d\n" % (nonce, _phase.encode(), host.encode(), len(question)) + question)
    status, output, error = read_answer(receive(client), nonce)
    if error:
        write_all(2, error)
    if output:
        write_all(1, output)
    os._exit(PASS + status)


if __name__ == "__main__":
    try:
        main()
    except BaseException as error:  # whatever it is, the tool does not run
        fail(type(error).__name__)
