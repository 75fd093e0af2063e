"""The server alone, over an in-memory authority: what HTTP, parsing, routing and encoding cost. No bar of its own.

One caller waits for each answer; then 64 connections each send the next question when they have their answer. The
processor time is that of the server process, kernel included, over the answers of the second part.
"""

import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.harness import Options, Result, percentile

CONNECTIONS = 64
_QUESTION = {
    "subject": {"type": "agent", "id": "a1", "properties": {}},
    "action": {"name": "send_money", "properties": {}},
    "resource": {"type": "tool_server", "id": "bank"},
    "context": {
        "input": {"recipient": "GB29NWBK60161331926819", "amount": 5000, "subject": "rent for march"},
        "request_id": "bfe9eb29-ab87-4ca3-be83-a1d5d8305716",
        "task": {"id": "t-17", "goal": "pay the rent"},
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "redeem": True,
    },
}


def run(options: Options) -> Result:
    """Start a server, ask it from one connection, then from many."""
    body = json.dumps(_QUESTION, separators=(",", ":")).encode()
    head = "POST /access/v1/evaluation HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    request = f"{head}X-Request-ID: bfe9eb29\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run" / "server.sock"
        process = subprocess.Popen([sys.executable, "-m", "bench.twin", str(path)])
        try:
            _await_socket(path)
            waits = _one_caller(path, request, min(options.seconds / 2, 5))
            answered, elapsed, cpu = _many_callers(path, request, min(options.seconds / 2, 5), process.pid)
        finally:
            process.terminate()
            process.wait(timeout=20)
    return Result(
        "server",
        {
            "p50_us": round(percentile(waits, 0.5) * 1e6, 1),
            "p99_us": round(percentile(waits, 0.99) * 1e6, 1),
            "rate_64_connections_per_s": round(answered / elapsed),
            "cpu_us_per_request": round(cpu / answered * 1e6, 1),
            "request_bytes": len(request),
        },
        runs=len(waits) + answered,
        measured_on="Unix socket, in-memory authority, client on the same machine",
    )


def _await_socket(path: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("the server did not start")


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    return connection


def _one_caller(path: Path, request: bytes, seconds: float) -> list[float]:
    waits: list[float] = []
    with _connect(path) as connection:
        ends = time.perf_counter() + seconds
        while (began := time.perf_counter()) < ends:
            connection.sendall(request)
            while not connection.recv(65536).endswith(b"}}"):
                pass
            waits.append(time.perf_counter() - began)
    return sorted(waits[len(waits) // 10 :])  # the first tenth warms up


def _many_callers(path: Path, request: bytes, seconds: float, pid: int) -> tuple[int, float, float]:
    selector = selectors.DefaultSelector()
    connections = [_connect(path) for _ in range(CONNECTIONS)]
    for connection in connections:
        selector.register(connection, selectors.EVENT_READ)
        connection.send(request)
    answered, cpu, began = 0, _cpu_seconds(pid), time.perf_counter()
    while time.perf_counter() - began < seconds:
        for key, _ in selector.select(1):
            connection = key.fileobj  # type: ignore[assignment]  # only sockets were registered
            if connection.recv(65536).endswith(b"}}"):
                answered += 1
                connection.send(request)
    elapsed = time.perf_counter() - began
    used = _cpu_seconds(pid) - cpu
    selector.close()
    for connection in connections:
        connection.close()
    return answered, elapsed, used


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime, stime: proc(5)
