"""Senders in one light process: ``python -m bench.ingest_load SOCKET PATH CONNECTIONS < bodies``; prints one JSON line.

Standard input is bodies, each behind its length (4 bytes, big-endian). Each connection sends one, waits for the answer,
sends the next. The clock starts when all bodies are in memory and the connections are open.
"""

import asyncio
import json
import resource
import sys
import time
from collections import deque
from typing import Any

import uvloop

from bench.wire import answer_length


class Sender(asyncio.Protocol):
    """Sends bodies from the shared queue, one at a time; one that is told to wait is sent again."""

    def __init__(self, path: str, content_type: str, bodies: deque[bytes]) -> None:
        self._head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: ".encode()
        self._bodies = bodies
        self._data = bytearray()
        self.latencies: list[float] = []
        self.answers: list[bytes] = []
        self.told_to_wait = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = transport

    def begin(self) -> None:
        """Send the next body, or end."""
        if not self._bodies:
            self._transport.close()
            return
        self._body = self._bodies.popleft()
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        body = self._body
        self._transport.writelines((self._head, b"%d\r\n\r\n" % len(body), body))  # type: ignore[attr-defined]  # a stream

    def data_received(self, data: bytes) -> None:
        """Keep a whole answer and go on."""
        self._data += data
        length = answer_length(self._data)
        if length is None or len(self._data) < length:
            return
        answer = bytes(self._data)
        self._data.clear()
        if answer[9:12] in {b"429", b"503"}:
            self.told_to_wait += 1
            asyncio.get_running_loop().call_later(0.05, self._send)
            return
        self.latencies.append(time.perf_counter() - self._sent)
        self.answers.append(answer)
        self.begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the end."""
        if not self.done.done():
            self.done.set_result(None) if exc is None else self.done.set_exception(exc)


def _bodies(data: bytes) -> deque[bytes]:
    found: deque[bytes] = deque()
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return found


async def _run(socket: str, path: str, connections: int) -> dict[str, Any]:
    bodies = _bodies(sys.stdin.buffer.read())
    count = len(bodies)
    loop = asyncio.get_running_loop()
    crew = []
    for _ in range(connections):
        _, sender = await loop.create_unix_connection(lambda: Sender(path, "application/json", bodies), socket)
        crew.append(sender)
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    for sender in crew:
        sender.begin()
    await asyncio.gather(*(sender.done for sender in crew))
    elapsed = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    accepted = rejected = 0
    problem = ""
    for answer in (answer for sender in crew for answer in sender.answers):
        content = json.loads(answer[answer.index(b"\r\n\r\n") + 4 :])
        accepted += content.get("accepted", 0)
        rejected += len(content.get("rejected", ()))
        if "accepted" not in content or content["rejected"]:
            problem = str(content)[:400]
    latencies = sorted(latency for sender in crew for latency in sender.latencies)
    return {
        "requests": count,
        "accepted": accepted,
        "rejected": rejected,
        "problem": problem,
        "told_to_wait": sum(sender.told_to_wait for sender in crew),
        "seconds": elapsed,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_run(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
