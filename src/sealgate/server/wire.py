"""An answer as the bytes of HTTP/1.1."""

import http
from typing import Final

from .messages import Response

_STATUS_LINE: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: ".encode() for status in http.HTTPStatus
}
_DATE: Final = b"\r\ndate: "
_ALWAYS: Final = b"\r\nx-content-type-options: nosniff\r\ncontent-length: "
_NO_STORE: Final = b"\r\ncache-control: no-store"
_CACHE_CONTROL: Final = b"cache-control"


def response_bytes(response: Response, *, date: bytes, close: bool, head_only: bool = False) -> bytes:
    """Return an answer as it goes over the wire. Answers may not be kept by caches unless they say so."""
    parts = [_STATUS_LINE[response.status], response.content_type]
    kept = False
    for name, value in response.headers:
        parts += (b"\r\n", name, b": ", value)
        kept = kept or name == _CACHE_CONTROL
    if not kept:
        parts.append(_NO_STORE)
    if close:
        parts.append(b"\r\nconnection: close")
    parts += (_DATE, date, _ALWAYS, b"%d\r\n\r\n" % len(response.body))
    if not head_only:
        parts.append(response.body)
    return b"".join(parts)
