"""How fast each processor is, moment by moment: ``python -m bench.quiet PROCESSOR`` notes it until it is killed.

A shared host gives a whole core now and half of one a moment later, for the same work. Twenty times a second a light
process on each processor signs a few times and notes the processor time of one signature; waiting for the processor
does not count. A moment is quiet when on every processor that is near the best of the run.
"""

import os
import struct
import subprocess
import sys
import tempfile
import time
from types import TracebackType
from typing import IO, Final, Self

from bench.harness import percentile
from sealgate.adapters.keys.file import FileSigner

MOMENT_S: Final = 0.25
_PAUSE_S: Final = 0.05
_SIGNATURES: Final = 3
_NOTE: Final = struct.Struct("<dd")
_NEAR: Final = 1.2
"""So much slower than the best is quiet still: at a fifth more there is no neighbour on the core."""

_BEST_SHARE: Final = 0.02
"""The best of a run is at this percentile of its notes, so that one lucky note is not the measure of all."""


class SpeedWatch:
    """Watches all processors while it is entered; asked afterwards."""

    def __init__(self) -> None:
        self._watchers: list[subprocess.Popen[bytes]] = []
        self._files = [tempfile.TemporaryFile() for _ in os.sched_getaffinity(0)]  # noqa: SIM115 - closed on leaving
        self._slow: set[int] = set()
        self._known: set[int] = set()
        self.best_us = 0.0
        """Processor time of a signature at the best."""

    def __enter__(self) -> Self:
        for processor, file in zip(sorted(os.sched_getaffinity(0)), self._files, strict=True):
            command = [sys.executable, "-m", "bench.quiet", str(processor)]
            self._watchers.append(subprocess.Popen(command, stdout=file))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for watcher in self._watchers:
            watcher.kill()
            watcher.wait()
        notes = [_read(file) for file in self._files]
        every = sorted(taken for each in notes for _, taken in each)
        self.best_us = percentile(every, _BEST_SHARE) * 1e6 if every else 0.0
        for each in notes:
            self._judge(each)

    def _judge(self, notes: list[tuple[float, float]]) -> None:
        """Call each moment slow in which the processor's median is far from the best."""
        moments: dict[int, list[float]] = {}
        for at, taken in notes:
            moments.setdefault(_moment(at), []).append(taken)
        for moment, found in moments.items():
            self._known.add(moment)
            if percentile(sorted(found), 0.5) * 1e6 > _NEAR * self.best_us:
                self._slow.add(moment)

    def quiet(self, at: float) -> bool:
        """Tell whether the moment around ``at`` (``time.perf_counter``) was quiet on every processor."""
        moment = _moment(at)
        return moment in self._known and moment not in self._slow

    @property
    def quiet_share(self) -> float:
        """Which share of all moments was quiet."""
        return 1 - len(self._slow) / len(self._known) if self._known else 0.0


def _moment(at: float) -> int:
    return int(at / MOMENT_S)


def _read(file: IO[bytes]) -> list[tuple[float, float]]:
    with file:
        file.seek(0)
        data = file.read()
    return list(_NOTE.iter_unpack(data[: len(data) // _NOTE.size * _NOTE.size]))


def watch(processor: int) -> None:
    """Note the speed of one processor on standard output, until killed."""
    os.sched_setaffinity(0, {processor})
    signer = FileSigner(bytes(32))
    while True:
        signer.sign(b"x" * 200)  # the first after a pause finds the caches cold
        started = time.thread_time()
        for _ in range(_SIGNATURES):
            signer.sign(b"x" * 200)
        taken = (time.thread_time() - started) / _SIGNATURES
        os.write(sys.stdout.fileno(), _NOTE.pack(time.perf_counter(), taken))
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    watch(int(sys.argv[1]))
