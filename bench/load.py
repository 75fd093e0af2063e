"""Many callers in one light process: ``python -m bench.load SOCKET CALLERS SECONDS < bodies``; prints one JSON line.

Standard input has one request body a line; callers take them in turn, over and over.

It shares the processor with what it measures, so it does as little as it can: one event loop, one protocol object a
caller, requests built by joining bytes, answers counted and not parsed.
"""

import asyncio
import itertools
import json
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

import uvloop

from bench.wire import answer_length

_HEAD: Final = (
    b"POST /access/v1/evaluation HTTP/1.1\r\nHost: sealgate\r\nContent-Type: application/json\r\nX-Request-ID: "
)


class Caller(asyncio.Protocol):
    """Asks, waits for the answer, asks again, until the time is over."""

    def __init__(self, name: str, bodies: Iterator[bytes], stop: float) -> None:
        self._prefix = _HEAD + name.encode()
        self._bodies = bodies
        self._stop = stop
        self._sent = 0.0
        self._data = bytearray()
        self.latencies: list[float] = []
        self.permits = 0
        self.other = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start asking."""
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._sent = time.perf_counter()
        number = b"%d" % len(self.latencies)
        self._transport.write(self._prefix + number + next(self._bodies))  # type: ignore[attr-defined]  # a stream

    def data_received(self, data: bytes) -> None:
        """Count a whole answer and ask again."""
        self._data += data
        length = answer_length(self._data)
        if length is None or len(self._data) < length:
            return
        now = time.perf_counter()
        self.latencies.append(now - self._sent)
        if b'"outcome":"PERMIT"' in self._data:
            self.permits += 1
        else:
            self.other = bytes(self._data[-400:])
        self._data.clear()
        if now < self._stop:
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end; an error in the middle counts as one."""
        if not self.done.done():
            if exc is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(exc)


async def _run(path: str, callers: int, seconds: float, lines: list[bytes]) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    run = f"load-{time.time_ns()}"
    bodies = itertools.cycle([b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body for body in lines])
    crew: list[Caller] = []
    for number in range(callers):
        _, caller = await loop.create_unix_connection(
            lambda number=number: Caller(f"{run}-{number}-", bodies, started + seconds),  # type: ignore[misc]  # bound now
            path,
        )
        crew.append(caller)
    await asyncio.gather(*(caller.done for caller in crew))
    elapsed = time.perf_counter() - started
    latencies = sorted(latency for caller in crew for latency in caller.latencies)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "answers": len(latencies),
        "permits": sum(caller.permits for caller in crew),
        "seconds": elapsed,
        "rate_per_s": sum(caller.permits for caller in crew) / elapsed,
        "other": next((caller.other.decode() for caller in crew if caller.other), ""),
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
        "client_cpu_s": used.ru_utime + used.ru_stime,
    }


def _lines() -> list[bytes]:
    return sys.stdin.buffer.read().splitlines()


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), _lines()))))
