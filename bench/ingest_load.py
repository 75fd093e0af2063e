"""Senders in one light process: ``python -m bench.ingest_load ADDRESS PATH TYPE CONNECTIONS RATE < bodies``.

Prints one JSON line. ``ADDRESS`` is a Unix socket's path or ``host:port``, ``TYPE`` the media type, ``RATE`` bodies a
second (0: as fast as answers come). Standard input is bodies, each behind its length (4 bytes, big-endian). Each
connection sends one, waits for the answer, sends the next. The clock starts when all bodies are in memory and the
connections are open. A JSON answer tells how many records were accepted; with any other type an empty answer means all.
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


class Work:
    """What is left to send, and from when on the next may go."""

    def __init__(self, bodies: deque[bytes], rate: float) -> None:
        self._bodies = bodies
        self._every = 1 / rate if rate else 0.0
        self._next = 0.0

    def take(self) -> tuple[bytes, float] | None:
        """Return the next body and when it is due (0: now), or None."""
        if not self._bodies:
            return None
        due, self._next = self._next, (self._next or time.perf_counter()) + self._every if self._every else 0.0
        return self._bodies.popleft(), due


class Sender(asyncio.Protocol):
    """Sends bodies from the shared queue, one at a time; one that is told to wait is sent again."""

    def __init__(self, path: str, content_type: str, work: Work) -> None:
        self._head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: ".encode()
        self._work = work
        self._data = bytearray()
        self.latencies: list[float] = []
        self.answers: list[tuple[float, bytes]] = []
        self.told_to_wait = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = transport

    def begin(self) -> None:
        """Send the next body when it is due, or end."""
        taken = self._work.take()
        if taken is None:
            self._transport.close()
            return
        self._body, due = taken
        wait = due - time.perf_counter()
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self._send)
        else:
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
        self.answers.append((time.time(), answer))
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


class Tally:
    """What the answers say."""

    def __init__(self) -> None:
        self.accepted = self.rejected = 0
        self.problem = ""
        self.recorded: list[tuple[float, int]] = []
        """When an answer came, and the greatest index of its records."""

    def add(self, at: float, answer: bytes, content_type: str) -> None:
        """Count one answer."""
        content = answer[answer.index(b"\r\n\r\n") + 4 :]
        if content_type != "application/json":
            if not answer.startswith(b"HTTP/1.1 200") or content:
                self.problem = repr(answer[:400])
            return
        said = json.loads(content)
        self.accepted += said.get("accepted", 0)
        self.rejected += len(said.get("rejected", ()))
        if "accepted" not in said or said["rejected"]:
            self.problem = str(said)[:400]
        else:
            self.recorded.append((at, max(receipt["index"] for receipt in said["receipts"])))


async def _run(address: str, path: str, content_type: str, connections: int, rate: float) -> dict[str, Any]:
    bodies = _bodies(sys.stdin.buffer.read())
    count = len(bodies)
    work = Work(bodies, rate)
    loop = asyncio.get_running_loop()
    crew = []
    for _ in range(connections):
        if "/" in address:
            _, sender = await loop.create_unix_connection(lambda: Sender(path, content_type, work), address)
        else:
            host, _, port = address.rpartition(":")
            _, sender = await loop.create_connection(lambda: Sender(path, content_type, work), host, int(port))
        crew.append(sender)
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    for sender in crew:
        sender.begin()
    await asyncio.gather(*(sender.done for sender in crew))
    elapsed = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    tally = Tally()
    for at, answer in (answer for sender in crew for answer in sender.answers):
        tally.add(at, answer, content_type)
    latencies = sorted(latency for sender in crew for latency in sender.latencies)
    return {
        "requests": count,
        "accepted": tally.accepted,
        "rejected": tally.rejected,
        "problem": tally.problem,
        "recorded": sorted(tally.recorded),
        "told_to_wait": sum(sender.told_to_wait for sender in crew),
        "seconds": elapsed,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[int(len(latencies) * 0.99)] * 1000,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }


if __name__ == "__main__":
    _address, _path, _type, _connections, _rate = sys.argv[1:6]
    print(json.dumps(uvloop.run(_run(_address, _path, _type, int(_connections), float(_rate)))))
