"""The head of one request as it arrives: its target and header fields, bounded before they are kept."""

from typing import Final

import httptools

from . import bounds, problems
from .problems import Kind

_SINGLE: Final = frozenset(
    {b"host", b"content-length", b"content-type", b"content-encoding", b"authorization", b"x-request-id"}
)
"""Header fields that may come once: two different readers could each believe another one."""


class Head:
    """A request target and header fields by their lower-case name. The last of several of one name counts."""

    __slots__ = ("_bytes", "_count", "fields", "target")

    def __init__(self) -> None:
        self.target = b""
        self.fields: dict[bytes, bytes] = {}
        self._count = 0
        self._bytes = 0

    def take_target(self, part: bytes) -> None:
        """Take a part of the target; one that is too long already is refused in the end."""
        if len(self.target) <= bounds.MAX_TARGET_BYTES:
            self.target += part

    def take_field(self, name: bytes, value: bytes) -> bool:
        """Take a header field; tell whether it may come, or comes again where it must not."""
        self._count += 1
        self._bytes += len(name) + len(value) + 4
        name = name.lower()
        again = name in self.fields and name in _SINGLE
        self.fields[name] = value
        return not again

    def refusal(self, version: str, *, upgrade: bool) -> tuple[Kind, str, str] | None:
        """Return why this head, complete now, is refused (kind, detail, hint), if it is."""
        if self._count > bounds.MAX_HEADERS or self._bytes > bounds.MAX_HEAD_BYTES:
            limits = f"over {bounds.MAX_HEADERS} headers or {bounds.MAX_HEAD_BYTES} bytes"
            return problems.HEAD_TOO_LARGE, limits, "send fewer headers"
        if len(self.target) > bounds.MAX_TARGET_BYTES:
            return problems.TARGET_TOO_LONG, f"over {bounds.MAX_TARGET_BYTES} bytes", "send a shorter path"
        if version not in {"1.1", "1.0"}:
            return problems.BAD_HTTP, "only HTTP/1.1 and 1.0 are spoken here", "see RFC 9112"
        if upgrade:
            return problems.BAD_HTTP, "no other protocol is offered here", "leave out `Upgrade`"
        if b"host" not in self.fields and version == "1.1":
            return problems.BAD_HTTP, "`Host` is missing", "RFC 9112 section 3.2 asks for it"
        return None

    def path(self) -> str:
        """Return the path of a target in origin or absolute form; nothing else has one (RFC 9112 section 3.2)."""
        target = self.target
        if target.startswith(b"/"):  # always, but for proxies
            return target.partition(b"?")[0].decode("latin-1")
        try:
            parsed = httptools.parse_url(target)
        except httptools.HttpParserInvalidURLError:
            return ""
        return (parsed.path or b"").decode("latin-1")

    def query(self) -> str:
        """Return what follows the first `?`."""
        target = self.target
        return target.partition(b"?")[2].decode("latin-1") if b"?" in target else ""
