"""Counts another process's syncs, by the kernel's word and not by its own."""

import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_CALLS: Final = re.compile(
    r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(?:fdatasync|fsync|io_submit)$", re.MULTILINE
)


class Syncs:
    """``count`` is filled in when the watched block ends; None where strace is missing or may not attach."""

    count: int | None = None


@contextmanager
def watched(pid: int) -> Iterator[Syncs]:
    """Count ``fdatasync``, ``fsync`` and ``io_submit``, which asks the kernel for one, while the block runs."""
    syncs = Syncs()
    strace = shutil.which("strace")
    if strace is None:
        yield syncs
        return
    with tempfile.NamedTemporaryFile() as report:
        command = [strace, "-c", "-f", "-e", "trace=fdatasync,fsync,io_submit", "-o", report.name, "-p", str(pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            attached = _attached(tracer)
            try:
                yield syncs
            finally:
                if tracer.poll() is None:
                    tracer.send_signal(signal.SIGINT)
                tracer.wait(timeout=20)
        if attached:
            syncs.count = _total(Path(report.name).read_text(encoding="utf-8"))


def _attached(tracer: "subprocess.Popen[str]") -> bool:
    if tracer.stderr is None:
        return False
    line = tracer.stderr.readline()
    time.sleep(0.2)  # further threads attach one by one
    return "attached" in line


def _total(report: str) -> int:
    """Add up the ``calls`` column of the system calls."""
    return sum(int(calls) for calls in _CALLS.findall(report))
