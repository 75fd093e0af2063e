"""One request and one answer, free of any transport."""

from typing import Final

import msgspec

from sealgate.ports.identity import Peer

JSON: Final = b"application/json"
PROBLEM: Final = b"application/problem+json"
TEXT: Final = b"text/plain; charset=utf-8"
NOBODY: Final = Peer()


class Request(msgspec.Struct):
    """A request whose body is complete. Headers are the ones this API knows; all others were dropped unread."""

    method: str
    path: str
    body: bytes = b""
    peer: Peer = NOBODY
    content_type: bytes = b""
    authorization: bytes | None = None
    request_id: bytes | None = None
    prefer: bytes | None = None
    content_encoding: bytes = b""
    query: str = ""
    alone: bool = False
    """Nobody else has asked for a moment: it is begun at once, and gains nothing by waiting for others."""


class Response(msgspec.Struct):
    """An answer. ``headers`` come besides content type and length; ``close`` ends the connection after it."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: list[tuple[bytes, bytes]] = []
    close: bool = False
