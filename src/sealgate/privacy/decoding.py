"""Other views of a text: what it says once escapes, invisible characters, base64 or hex are undone.

A view knows for each of its characters where it came from, so that what is found in it can be blacked out in the text.
"""

import base64
import binascii
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from .rules import compile_pattern

INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c"
    "\u202d\u202e\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufe0f\ufeff"
)
"""Characters that are not seen and split a value for a machine only."""

ESCAPED: Final = (
    r"(?:%[0-9A-Fa-f]{2})+|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\[nrt]|&#(?:x[0-9A-Fa-f]{1,6}|\d{1,7});|"
    rf"[{INVISIBLE}]+|[\x{{ff01}}-\x{{ff5e}}]"
)
"""A pattern of what ``unescaped`` undoes."""
IN_BASE64: Final = r"[A-Za-z0-9+/_\-][A-Z][A-Za-z0-9+/_\-]*[a-z]|[a-z][A-Za-z0-9+/_\-]*[A-Z]"
"""A pattern that fits wherever text in base64 may be: it has small and capital letters in one run."""
IN_HEX: Final = r"[0-9A-Fa-f]{16}|(?:[0-9A-Fa-f]{2}(?::| |\\x)){7}[0-9A-Fa-f]{2}"
"""A pattern that fits wherever text in hex may be."""
_ESCAPES: Final = compile_pattern(ESCAPED)
_BASE64: Final = compile_pattern(r"[A-Za-z0-9+/_\-]{12,}(?:(?:\r?\n|\\n)[A-Za-z0-9+/_\-]{4,})*={0,2}")
_HEX: Final = compile_pattern(
    r"(?i)(?:0x)?(?:[0-9a-f]{2}){8,}|(?:\\x[0-9a-f]{2}){8,}|"
    r"\b[0-9a-f]{2}(?::[0-9a-f]{2}){7,}|\b[0-9a-f]{2}(?: [0-9a-f]{2}){7,}"
)
_MIN_PRINTABLE: Final = 0.9
_SHOWN: Final = bytes(range(32, 127)) + b"\r\n\t"

MAX_DEPTH: Final = 3
"""Encodings within encodings that are undone."""
MAX_BLOBS: Final = 256
"""Encoded runs of one text that are looked into; further ones count as found, because nobody looked."""


class View(NamedTuple):
    """A text, where its pieces begin in it and which span of the original each piece stands for."""

    text: str
    starts: list[int]
    spans: list[tuple[int, int, bool]]  # original start, original end, copied character by character

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the part of the original that ``start`` to ``end`` of the view came from."""
        return self._place(start)[0], self._place(end - 1)[1]

    def _place(self, position: int) -> tuple[int, int]:
        piece = bisect_right(self.starts, position) - 1
        start, end, copied = self.spans[piece]
        if not copied:
            return start, end
        at = start + position - self.starts[piece]
        return at, at + 1


class Blob(NamedTuple):
    """An encoded run of a text and what it decodes to."""

    start: int
    end: int
    encoding: str
    text: str


def unescaped(text: str) -> View | None:
    """Return the text with URL, JSON, HTML and hex escapes undone and invisible characters gone; None: it has none."""
    parts: list[str] = []
    starts: list[int] = []
    spans: list[tuple[int, int, bool]] = []
    length = position = 0
    for match in _ESCAPES.finditer(text):
        start, end = match.span()
        said = _unescape(text[start:end])
        if position < start:
            parts.append(text[position:start])
            starts.append(length)
            spans.append((position, start, True))
            length += start - position
        if said:
            parts.append(said)
            starts.append(length)
            spans.append((start, end, False))
            length += len(said)
        position = end
    if position == 0:
        return None
    if position < len(text):
        parts.append(text[position:])
        starts.append(length)
        spans.append((position, len(text), True))
    return View("".join(parts), starts, spans)


def _unescape(text: str) -> str:
    first = text[0]
    if first == "%":
        return unquote_to_bytes(text).decode("utf-8", "replace")
    if first == "\\":
        return {"n": "\n", "r": "\r", "t": "\t"}.get(text[1]) or _character(text[2:], 16)
    if first == "&":
        return _character(text[3:-1], 16) if text[2] == "x" else _character(text[2:-1], 10)
    return unicodedata.normalize("NFKC", text) if "\uff01" <= first <= "\uff5e" else ""


def _character(number: str, base: int) -> str:
    value = int(number, base)
    return chr(value) if value < 0x110000 and not 0xD800 <= value < 0xE000 else "\ufffd"


def blobs(text: str, *, in_hex: bool = True, in_base64: bool = True) -> Iterator[Blob]:
    """Yield the runs of a text that decode to readable text, in the encodings that are asked for."""
    searched = text.encode() if text.isascii() else text  # bytes spare the binding a count of characters
    for match in _HEX.finditer(searched) if in_hex else ():
        decoded = _from_hex(text[match.start() : match.end()])
        if decoded is not None:
            yield Blob(match.start(), match.end(), "hex", decoded)
    for match in _BASE64.finditer(searched) if in_base64 else ():
        run = text[match.start() : match.end()]
        decoded = _from_base64(run)
        if decoded is not None:
            yield Blob(match.start(), match.end(), "base64", decoded)


def _from_hex(run: str) -> str | None:
    plain = run.replace(":", "").replace(" ", "").replace("\\x", "").removeprefix("0x").removeprefix("0X")
    try:
        return _readable(bytes.fromhex(plain))
    except ValueError:
        return None


def _from_base64(run: str) -> str | None:
    body = run.rstrip("=")
    if body.islower() or body.isdigit() or body.isupper():
        return None  # text in base64 has letters of both cases
    body = body.replace("\\n", "").replace("\r", "").replace("\n", "").replace("-", "+").replace("_", "/")
    body = body[: len(body) - 1] if len(body) % 4 == 1 else body
    try:
        return _readable(base64.b64decode(body + "=" * (-len(body) % 4)))
    except (binascii.Error, ValueError):
        return None


def _readable(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if text.isprintable():
        return text
    if len(text) == len(data):  # ASCII
        return text if len(data) - len(data.translate(None, _SHOWN)) >= _MIN_PRINTABLE * len(data) else None
    shown = sum(character.isprintable() or character in "\r\n\t" for character in text)
    return text if shown >= _MIN_PRINTABLE * len(text) else None
