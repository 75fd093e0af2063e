"""Where a value came from, told by keyed fingerprints. Pure: the salt is an argument, no text is kept.

One ``Fingerprints`` serves one task. What enters the task is added under one of three origins: ``person`` (the
request of the one who is served), ``trusted`` (systems whose content nobody else can write) and ``untrusted``
(everything that others wrote). ``origins`` says for a value which of them spelled it out.

The two sides are compared differently, so that a doubt never helps:

* ``person`` and ``trusted`` need the whole value: equal after normalization (Unicode NFKC, case, runs of spaces, the
  spaces of an IBAN, trailing zeros), or a run of whole tokens of a text, never a part of one;
* ``untrusted`` also counts where only a telling part was seen: the host of a URL or e-mail address, the letters and
  digits alone, one address in a longer text.

A list or object is ``person`` or ``trusted`` only if all that is in it is, and ``untrusted`` as soon as a part is.

Everything is linear in the text. Past its bounds ``whole`` turns false: then what was seen nowhere counts as untrusted.
"""

import hmac
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

Origin = Literal["person", "trusted", "untrusted"]
Json = Any

PERSON: Final = "person"
TRUSTED: Final = "trusted"
UNTRUSTED: Final = "untrusted"
ORIGINS: Final[tuple[Origin, ...]] = ("person", "trusted", "untrusted")

MIN_CHARS: Final = 3
"""Shorter values occur in any text by chance: only a whole value of a list counts as naming them."""

MAX_TEXT_CHARS: Final = 131_072
"""Characters of one text that are read; what follows makes the task not whole."""

MAX_TOKENS: Final = 65_536
"""Tokens and values kept for one task and origin: about 3 MiB at most."""

MAX_VALUE_CHARS: Final = 16_384
"""A longer value is not compared; it came from nowhere that is known."""

_PRINT_BYTES: Final = 8
_GAP: Final = bytes(_PRINT_BYTES)
_BREAK: Final = re.compile(r"[\s\"'`<>\[\](){}|,;=*\\]+")
_EDGE: Final = ".,:;!?"
_IBAN: Final = re.compile(r"\b[a-z]{2}[0-9]{2}(?: ?[a-z0-9]{4}){2,7}(?: ?[a-z0-9]{1,4})?\b", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,18}\.[0-9]{1,18}", re.ASCII)
_HOST: Final = re.compile(r"(?:[a-z][a-z0-9+.-]{0,20}://)?(?:[^@/\s]{0,256}@)?([^@/:?#\s]{1,253}\.[^@/:?#\s.]{2,63})")
_TELLING: Final = re.compile(r"[@/]|\w\.\w|[^\x00-\x7f]")
_DIGIT: Final = re.compile(r"[0-9]")
_TELLING_DIGITS: Final = 6
_INVISIBLE: Final = frozenset({"Cf", "Cc", "Mn"})


class Fingerprints:
    """What one task has seen, as fingerprints under its own salt. Not thread-safe."""

    __slots__ = ("_hosts", "_salt", "_texts", "_values", "whole")

    def __init__(self, salt: bytes, *, whole: bool = True) -> None:
        self._salt = salt
        # Made when something enters: many tasks see nothing, and every decision in a new task makes one of these.
        self._values: dict[str, set[bytes]] = {}
        self._texts: dict[str, bytearray] = {}
        self._hosts: set[bytes] = set()
        self.whole = whole
        """Whether everything that entered the task is here; where not, the unknown counts as untrusted."""

    def add_values(self, origin: Origin, values: Iterable[Json]) -> int:
        """Add whole values (of a directory, of a structured answer) and return how many."""
        count = 0
        for leaf in _leaves(list(values)):
            count += 1
            text = _text_of(leaf)
            if text is not None and len(text) <= MAX_VALUE_CHARS:
                self._keep(origin, self._print(_normal(text)))
                if origin == UNTRUSTED:
                    self._add_weak(text)
            if origin == UNTRUSTED and isinstance(leaf, str):
                self.add_text(origin, leaf)
        return count

    def add_text(self, origin: Origin, text: str) -> None:
        """Add a text: its tokens in their order, and the addresses in it."""
        if len(text) > MAX_TEXT_CHARS:
            text, self.whole = text[:MAX_TEXT_CHARS], False
        folded = _folded(text)
        prints = {}
        sequence = self._texts.setdefault(origin, bytearray())
        sequence += _GAP
        for token in _tokens(folded):
            if len(sequence) >= MAX_TOKENS * _PRINT_BYTES:
                self.whole = False
                break
            if token not in prints:
                prints[token] = self._print(token)
                if origin == UNTRUSTED and _tells(token):
                    self._add_weak(token)
            sequence += prints[token]
        for match in _IBAN.finditer(folded):
            self._keep(origin, self._print(match[0].replace(" ", "")))

    def origins(self, value: Json) -> frozenset[str]:
        """Return where an argument's value came from; empty: nowhere, in a task that is known from its start."""
        every: set[str] | None = None
        untrusted = False
        for leaf in _leaves(value):
            found = self._leaf(leaf)
            untrusted = untrusted or UNTRUSTED in found
            held = found & {PERSON, TRUSTED}
            if every is None:
                every = set(held)
            elif every and held:
                # Of different good origins the weaker one is all that can be said of both.
                every = (every & held) or {TRUSTED}
            else:
                every = set()
        found = every or set()
        return frozenset(found | {UNTRUSTED} if untrusted else found)

    def _leaf(self, leaf: Json) -> set[str]:
        text = _text_of(leaf)
        if text is None:
            return set()
        if len(text) > MAX_VALUE_CHARS:
            return {UNTRUSTED}
        normal = _normal(text)
        value = self._print(normal)
        needle = self._needle(normal)
        found: set[str] = {origin for origin in (PERSON, TRUSTED) if self._has(origin, value, needle)}
        if self._seen_untrusted(text, normal, value) or (not found and not self.whole):
            found.add(UNTRUSTED)
        return found

    def _has(self, origin: str, value: bytes, needle: bytes) -> bool:
        if value in self._values.get(origin, ()):
            return True
        text = self._texts.get(origin)
        return bool(needle and text and _holds(text, needle))

    def _needle(self, normal: str) -> bytes:
        """Return the token fingerprints of a value that a person's text may name, or none."""
        tokens = list(_tokens(normal))
        if not tokens or len(normal) < MIN_CHARS or (len(tokens) == 1 and tokens[0] != normal):
            return b""
        return b"".join(map(self._print, tokens))

    def _seen_untrusted(self, text: str, normal: str, value: bytes) -> bool:
        tokens = list(_tokens(_folded(text)))
        needle = b"".join(map(self._print, tokens))
        if self._has(UNTRUSTED, value, needle):
            return True
        candidates = tokens if len(tokens) > 1 else [normal]
        return any(
            not self._hosts.isdisjoint(map(self._print, _weak(token)))
            for token in candidates
            if len(tokens) <= 1 or _tells(token)
        )

    def _add_weak(self, text: str) -> None:
        if len(self._hosts) >= MAX_TOKENS:
            self.whole = False
            return
        self._hosts.update(map(self._print, _weak(_normal(text))))

    def _keep(self, origin: str, value: bytes) -> None:
        values = self._values.setdefault(origin, set())
        if len(values) >= MAX_TOKENS:
            self.whole = False
        else:
            values.add(value)

    def _print(self, text: str) -> bytes:
        return hmac.digest(self._salt, text.encode("utf-8", "surrogatepass"), "sha256")[:_PRINT_BYTES]


def _holds(sequence: bytearray, needle: bytes) -> bool:
    at = sequence.find(needle)
    while at >= 0:
        if at % _PRINT_BYTES == 0:
            return True
        at = sequence.find(needle, at + 1)
    return False


def _leaves(value: Json) -> Iterator[Json]:
    """Yield the texts and numbers of a value, keys too: who writes an object chooses its keys."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            stack.extend(item.values())
            stack.extend(item.keys())
        elif isinstance(item, list | tuple):
            stack.extend(item)
        elif item is not None and not isinstance(item, bool) and item != "":
            yield item


def _text_of(leaf: Json) -> str | None:
    if isinstance(leaf, str):
        return leaf
    if isinstance(leaf, int | float | Decimal):
        return str(leaf)
    return None


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _normal(text: str) -> str:
    """Return the form in which two spellings of one value are equal."""
    folded = " ".join(_folded(text).split())
    if _IBAN.fullmatch(folded):
        return folded.replace(" ", "")
    return _number(folded)


def _number(token: str) -> str:
    if not _NUMBER.fullmatch(token):
        return token
    try:
        return f"{Decimal(token).normalize():f}"
    except InvalidOperation:  # not reached for what the pattern admits
        return token


def _tokens(folded: str) -> Iterator[str]:
    for piece in _BREAK.split(folded):
        token = piece.strip(_EDGE)
        if token:
            yield _number(token)


def _tells(token: str) -> bool:
    """Say whether a token names something by itself: an address, a long number, letters that may only look alike."""
    return _TELLING.search(token) is not None or len(_DIGIT.findall(token)) >= _TELLING_DIGITS


def _weak(normal: str) -> Iterator[str]:
    """Yield what also tells that a value came from somewhere: its host, its letters and digits alone."""
    visible = normal
    if not normal.isascii():
        visible = "".join(char for char in normal if unicodedata.category(char) not in _INVISIBLE)
    compact = "".join(filter(str.isalnum, visible))
    if len(compact) >= MIN_CHARS:
        yield f"\x00{compact}"
    host = _HOST.match(visible)
    if host and ("@" in visible or "/" in visible or host.end() == len(visible)):
        yield f"\x01{host[1].removeprefix('www.')}"
