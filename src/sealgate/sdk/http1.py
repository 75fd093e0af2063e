"""The little HTTP/1.1 that a local socket needs. Pure: bytes in, bytes out.

Only what our own authority sends is understood: one final answer a request, framed by ``Content-Length`` or chunks,
both bounded. Everything else (two lengths, a length and chunks, folded headers, bytes after the answer) is refused,
because a client that guesses where an answer ends can be made to read the wrong one.
"""

import re
from typing import Final

from sealgate.sdk.answers import MAX_ANSWER_BYTES, Answer, retry_after
from sealgate.sdk.errors import UnreadableAnswer

MAX_HEAD_BYTES: Final = 16 * 1024
"""Status line and headers of an answer, in bytes."""

_STATUS: Final = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2})(?: [^\r\n]*)?\Z")
_HEADER: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\x00]*?)[ \t]*\Z")
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,6})(?:;[^\r\n]*)?\Z")


def write_request(method: str, path: str, body: bytes, request_id: str | None) -> bytes:
    """Return the bytes of one request. Path and request id are ours, never user input.

    ``handling=strict``: a member that the authority does not know is an error and not an ignored wish.
    """
    identity = f"X-Request-ID: {request_id}\r\n" if request_id else ""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: sealgate\r\nAccept: application/json\r\n{identity}"
        f"Prefer: handling=strict\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


class AnswerReader:
    """Collects the bytes of one answer.

    ``feed`` returns None until the answer is whole. ``reusable`` then tells whether the connection may carry another
    request.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._body_start = 0
        self._status = 0
        self._media_type = ""
        self._retry_after_s = 0.0
        self._length: int | None = None
        self.reusable = False

    @property
    def empty(self) -> bool:
        """Tell whether nothing was received yet."""
        return not self._data

    def feed(self, data: bytes) -> Answer | None:
        """Add received bytes (empty at end of stream) and return the answer once it is whole.

        Raises:
            UnreadableAnswer: the stream ended early or is not the HTTP we speak.
        """
        if not data:
            raise UnreadableAnswer("the connection was closed in the middle of an answer")
        self._data += data
        if not self._body_start and not self._read_head():
            return None
        body = self._counted() if self._length is not None else self._chunked()
        return None if body is None else Answer(self._status, self._media_type, body, self._retry_after_s)

    def _read_head(self) -> bool:
        end = self._data.find(b"\r\n\r\n")
        if end > MAX_HEAD_BYTES or (end < 0 and len(self._data) > MAX_HEAD_BYTES):
            raise UnreadableAnswer("the answer's head is too long")
        if end < 0:
            return False
        first, *lines = bytes(self._data[:end]).split(b"\r\n")
        status = _STATUS.match(first)
        if not status or status[1].startswith(b"1"):
            raise UnreadableAnswer("the answer does not begin with a final HTTP/1.1 status")
        self._status = int(status[1])
        self._use_headers(_headers(lines))
        self._body_start = end + 4
        return True

    def _use_headers(self, headers: dict[bytes, bytes]) -> None:
        self._media_type = headers.get(b"content-type", b"").decode("latin-1")
        self._retry_after_s = retry_after(headers.get(b"retry-after", b"").decode("latin-1"))
        self.reusable = headers.get(b"connection", b"keep-alive").lower() == b"keep-alive"
        length, coding = headers.get(b"content-length"), headers.get(b"transfer-encoding")
        if (length is None) == (coding is None):
            raise UnreadableAnswer("the answer's length is not stated exactly once")
        if length is None:
            if coding is None or coding.lower() != b"chunked":
                raise UnreadableAnswer("the answer has an unknown transfer coding")
            return
        if not length.isdigit() or len(length) > 9 or int(length) > MAX_ANSWER_BYTES:
            raise UnreadableAnswer("the answer's length is malformed or too large")
        self._length = int(length)

    def _counted(self) -> bytes | None:
        return self._upto(self._body_start + (self._length or 0), self._body_start)

    def _upto(self, end: int, start: int) -> bytes | None:
        if len(self._data) < end:
            return None
        if len(self._data) > end:
            raise UnreadableAnswer("there are bytes after the answer")
        return bytes(self._data[start:end])

    def _chunked(self) -> bytes | None:
        """Read all chunks from the start: answers in chunks are rare and small, so nothing is remembered."""
        body = bytearray()
        position = self._body_start
        if len(self._data) > 2 * MAX_ANSWER_BYTES:
            raise UnreadableAnswer("the answer is too large")
        while True:
            line_end = self._data.find(b"\r\n", position)
            if line_end < 0:
                return None
            size_line = _CHUNK_SIZE.match(bytes(self._data[position:line_end]))
            if not size_line:
                raise UnreadableAnswer("the answer's chunks are malformed")
            size, start = int(size_line[1], 16), line_end + 2
            if size == 0:
                return None if self._upto(start + 2, start) is None else self._end_of_chunks(start, body)
            if len(self._data) < start + size + 2:
                return None
            body += self._data[start : start + size]
            self._require_line_end(start + size)
            if len(body) > MAX_ANSWER_BYTES:
                raise UnreadableAnswer("the answer is too large")
            position = start + size + 2

    def _end_of_chunks(self, position: int, body: bytearray) -> bytes:
        self._require_line_end(position)  # trailers are not something our authority sends
        return bytes(body)

    def _require_line_end(self, position: int) -> None:
        if self._data[position : position + 2] != b"\r\n":
            raise UnreadableAnswer("the answer's chunks are malformed")


def _headers(lines: list[bytes]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for line in lines:
        match = _HEADER.match(line)
        if not match:
            raise UnreadableAnswer("the answer has a malformed header")
        name = match[1].lower()
        if name in headers and name in (b"content-length", b"transfer-encoding", b"content-type", b"connection"):
            raise UnreadableAnswer(f"the answer has two `{name.decode()}` headers")
        headers[name] = match[2]
    return headers
