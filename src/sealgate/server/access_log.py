"""One JSON line for each answered request: who, what route, what came of it. Never a secret, a path or an argument.

Lines are kept in memory and written together by another thread, so that a slow disk or pipe behind standard error
cannot hold up a decision. When too many wait, further ones are counted and dropped.
"""

import threading
import time
from typing import Final, Literal, TextIO

import msgspec

from sealgate.model.evaluation import Identity

from .messages import Request, Response

Level = Literal["none", "problems", "all"]

_MAX_WAITING: Final = 10_000  # lines; about 3 MB
_FLUSH_S: Final = 0.25
_Entry = tuple[float, str, str, int, float, Identity, bytes | None, int]
_encode = msgspec.json.Encoder().encode


class AccessLog:
    """Notes requests. ``level`` `problems` keeps answers of 400 and above only."""

    def __init__(self, stream: TextIO, level: Level = "problems") -> None:
        self._stream = stream
        self._lowest = {"none": 1000, "problems": 400, "all": 0}[level]
        self._waiting: list[_Entry] = []
        self._dropped = 0
        self._stopped = threading.Event()
        self._writer = threading.Thread(target=self._run, name="access-log", daemon=True)

    def start(self) -> None:
        """Start the writer."""
        self._writer.start()

    def stop(self) -> None:
        """Write what waits and end the writer."""
        self._stopped.set()
        if self._writer.is_alive():
            self._writer.join(timeout=1)

    def note(self, request: Request, route: str, response: Response, caller: Identity, seconds: float) -> None:
        """Note one answered request; returns at once."""
        if response.status < self._lowest:
            return
        if len(self._waiting) >= _MAX_WAITING:
            self._dropped += 1
            return
        self._waiting.append(
            (
                time.time(),
                request.method,
                route,
                response.status,
                seconds,
                caller,
                request.request_id,
                len(request.body),
            )
        )

    def _run(self) -> None:
        while not self._stopped.wait(_FLUSH_S):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        lines, self._waiting = self._waiting, []
        dropped, self._dropped = self._dropped, 0
        if dropped:
            self._stream.write(f'{{"event":"access_log_dropped","lines":{dropped}}}\n')
        if lines:
            self._stream.write("".join(_line(line) for line in lines))
            self._stream.flush()


def _line(entry: _Entry) -> str:
    at, method, route, status, seconds, caller, request_id, size_bytes = entry
    members = {
        "event": "request",
        "time_ms": int(at * 1000),
        "method": method,
        "route": route,
        "status": status,
        "duration_us": int(seconds * 1_000_000),
        "principal": caller.principal,
        "proof": caller.proof if caller.principal else "none",
        "request_id": None if request_id is None else request_id.decode("latin-1")[:200],
        "size_bytes": size_bytes,
    }
    return _encode(members).decode() + "\n"
