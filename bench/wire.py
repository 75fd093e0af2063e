"""The smallest client of the API that is still honest: it sends whole requests and reads whole answers.

It exists so that a measurement is of the server and not of a client library; it judges nothing beyond what it counts.
"""

import json
import socket
import struct
import time
import uuid
from typing import Any, Final

_TIMEOUT: Final = struct.pack("ll", 30, 0)  # struct timeval: seconds and microseconds
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "


def request(path: str, body: bytes, request_id: str) -> bytes:
    """Return one POST with its idempotency key."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: sealgate\r\nContent-Type: application/json\r\n"
        f"X-Request-ID: {request_id}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def answer_length(data: bytes | bytearray) -> int | None:
    """Return how many bytes the first answer in ``data`` has, or None while its head is not whole."""
    end = data.find(_END)
    if end < 0:
        return None
    at = data[:end].lower().find(_LENGTH)
    if at < 0:
        raise ValueError("an answer without a length")
    stop = data.find(b"\r", at)
    return end + len(_END) + int(data[at + len(_LENGTH) : stop])


class Wire:
    """One blocking connection over a Unix socket."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        for way in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # the kernel's: Python's own asks poll(2) before each call
            self._socket.setsockopt(socket.SOL_SOCKET, way, _TIMEOUT)
        self._socket.connect(path)
        self.received = 0.0
        """When the last byte of the last answer came; what is done with it afterwards is no time of the server's."""

    def exchange(self, data: bytes) -> bytes:
        """Send one request, return the whole answer."""
        self._socket.sendall(data)
        answer = bytearray()
        length = None
        while length is None or len(answer) < length:
            part = self._socket.recv(65536)
            if not part:
                raise ConnectionError("the authority closed the connection")
            self.received = time.perf_counter()
            answer += part
            length = length or answer_length(answer)
        return bytes(answer)

    def post(self, path: str, value: Any, request_id: str | None = None) -> tuple[int, Any]:
        """Post JSON, return status and parsed body."""
        data = json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
        return parse(self.exchange(request(path, data, request_id or str(uuid.uuid4()))))

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def parse(answer: bytes) -> tuple[int, Any]:
    """Return status and body of an answer; the body is None where it is not JSON."""
    head, _, body = answer.partition(_END)
    status = int(head.split(b" ", 2)[1])
    return status, json.loads(body) if b"json" in head.lower() else None
