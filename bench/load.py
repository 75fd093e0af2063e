"""Many callers in one light process: ``python -m bench.load SOCKET CALLERS SECONDS < bodies``; prints one JSON line.

Standard input has one request body a line; callers take them in turn, over and over.

It shares the processor with what it measures, so it does as little as it can: one thread that waits for many blocking
conversations at once, requests built by joining bytes, answers counted and not parsed.
"""

import itertools
import json
import resource
import select
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from bench.quiet import MOMENT_S
from bench.wire import answer_length

_HEAD: Final = (
    b"POST /access/v1/evaluation HTTP/1.1\r\nHost: sealgate\r\nContent-Type: application/json\r\nX-Request-ID: "
)
_PERMIT: Final = b'"outcome":"PERMIT"'
_READ_BYTES: Final = 65536
_TIMEOUT_S: Final = 30.0


class Caller:
    """Asks, waits for the answer, asks again."""

    def __init__(self, path: str, name: str, bodies: Iterator[bytes]) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self._prefix = _HEAD + name.encode()
        self._bodies = bodies
        self._sent = 0.0
        self._data = b""
        self.latencies: list[float] = []
        self.ended: list[float] = []
        self.permits = 0
        self.other = b""

    def ask(self) -> None:
        """Send the next question. One request fits into the socket's buffer, so this does not wait."""
        self._sent = time.perf_counter()
        self.socket.sendall(self._prefix + b"%d" % len(self.latencies) + next(self._bodies))

    def take(self) -> bool:
        """Read what has come; count an answer when it is whole, and say so."""
        part = self.socket.recv(_READ_BYTES)
        if not part:
            raise ConnectionError("the authority closed the connection")
        data = self._data = self._data + part if self._data else part
        length = answer_length(data)
        if length is None or len(data) < length:
            return False
        now = time.perf_counter()
        self.latencies.append(now - self._sent)
        self.ended.append(now)
        if _PERMIT in data:
            self.permits += 1
        else:
            self.other = data[-400:]
        self._data = b""
        return True


def _run(path: str, callers: int, seconds: float, lines: list[bytes]) -> dict[str, Any]:
    run = f"load-{time.time_ns()}"
    bodies = itertools.cycle([b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body for body in lines])
    crew = [Caller(path, f"{run}-{number}-", bodies) for number in range(callers)]
    waiting = {caller.socket.fileno(): caller for caller in crew}
    used = _cpu_s()
    started = time.perf_counter()
    with select.epoll() as poll:
        for number, caller in waiting.items():
            poll.register(number, select.EPOLLIN)
            caller.ask()
        while waiting:
            found = poll.poll(_TIMEOUT_S)
            if not found:
                raise TimeoutError(f"{len(waiting)} answers did not come")
            going_on = time.perf_counter() < started + seconds
            for number, _ in found:
                caller = waiting[number]
                if not caller.take():
                    continue
                if going_on:
                    caller.ask()
                else:
                    poll.unregister(number)
                    waiting.pop(number).socket.close()
    elapsed = time.perf_counter() - started
    used = _cpu_s() - used
    latencies = sorted(latency for caller in crew for latency in caller.latencies)
    return {
        "answers": len(latencies),
        "permits": sum(caller.permits for caller in crew),
        "seconds": elapsed,
        "rate_per_s": sum(caller.permits for caller in crew) / elapsed,
        "other": next((caller.other.decode() for caller in crew if caller.other), ""),
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
        "client_cpu_s": used,
        "answers_by_moment": _by_moment(crew, started, started + seconds),
    }


def _by_moment(crew: list[Caller], started: float, ended: float) -> list[tuple[float, int]]:
    """Return when each whole moment of the run began, and how many answers came in it."""
    first, last = int(started / MOMENT_S) + 1, int(ended / MOMENT_S)
    counts = dict.fromkeys(range(first, last), 0)
    for caller in crew:
        for at in caller.ended:
            if int(at / MOMENT_S) in counts:
                counts[int(at / MOMENT_S)] += 1
    return [(moment * MOMENT_S, count) for moment, count in counts.items()]


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    bodies_of_stdin = sys.stdin.buffer.read().splitlines()
    print(json.dumps(_run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), bodies_of_stdin)))
