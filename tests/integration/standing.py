"""Stopping a process as a whole: after the signal alone, one of its threads may still run for a moment."""

import contextlib
import os
import signal
import time
from pathlib import Path


def stand_still(pid, timeout_s=60.0):
    """Stop a process; return when every thread of it stands still."""
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + timeout_s
    while _states(pid) != {"T"}:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _states(pid):
    found = set()
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):  # the thread ended meanwhile
            found.add(path.read_text().rpartition(")")[2].split()[0])
    return found
