"""Values of registered people, found in any spelling: neither case nor spaces nor punctuation matter."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import ahocorasick_rs

from .checksums import is_date
from .decoding import INVISIBLE
from .findings import Finding
from .rules import SURE

MIN_SQUEEZED: Final = 4
"""Shorter values are not looked for: they would be found everywhere."""

_DROPPED: Final = b" \t\r\n\x0b\x0c!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_LOWER: Final = bytes(byte + 32 if 65 <= byte <= 90 else byte for byte in range(256))
_DROPPED_CHARACTERS: Final = frozenset(_DROPPED.decode()) | frozenset(INVISIBLE)
_MONTHS: Final = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)


@dataclass(frozen=True, slots=True)
class KnownValue:
    """A value of a registered person: its type (``email``, ``name``, ``birth_date``, ``address``, …), whose it is."""

    type: str
    value: str
    subject: str | None = None


class KnownValues:
    """All known values, ready to be found in one pass (Aho-Corasick). Making it costs a millisecond per thousand."""

    def __init__(self, values: Iterable[KnownValue] = ()) -> None:
        """Take the values; those too short to be looked for are in ``refused``."""
        table: dict[str, KnownValue] = {}
        refused = []
        for value in values:
            for spelling in _spellings(value):
                squeezed = _squeeze(spelling)
                if len(squeezed) < MIN_SQUEEZED:
                    refused.append(value)
                else:
                    table.setdefault(squeezed, value)
        self._values = list(table.values())
        self._automaton = ahocorasick_rs.AhoCorasick(list(table)) if table else None
        self.refused = tuple(refused)

    def __len__(self) -> int:
        return len(self._values)

    def find(self, text: str) -> list[Finding]:
        """Return where known values are, in any spelling; findings may overlap."""
        return [finding for finding, _ in self.find_values(text)]

    def find_values(self, text: str) -> list[tuple[Finding, KnownValue]]:
        """Return findings with the value that each is."""
        if self._automaton is None or not text:
            return []
        hits = self._automaton.find_matches_as_indexes(_squeeze(text), overlapping=True)
        if not hits:
            return []
        places = _places(text)
        found = []
        for index, first, last in hits:
            start, end = places[first], places[last - 1] + 1
            if _word_edge(text, start, end):
                value = self._values[index]
                found.append((Finding(start, end, value.type, SURE), value))
        return found


def _squeeze(text: str) -> str:
    """Return a text in lower case without separators."""
    if text.isascii():
        return text.encode("ascii").translate(_LOWER, _DROPPED).decode("ascii")
    return "".join(_fold(character) for character in text)


def _fold(character: str) -> str:
    if character in _DROPPED_CHARACTERS or character.isspace():
        return ""
    decomposed = unicodedata.normalize("NFKD", character).casefold()
    return "".join(part for part in decomposed if part not in _DROPPED_CHARACTERS and not unicodedata.combining(part))


def _places(text: str) -> list[int]:
    """Return for each character of the squeezed text where it came from."""
    if text.isascii():
        return [at for at, character in enumerate(text) if character not in _DROPPED_CHARACTERS]
    return [at for at, character in enumerate(text) for _ in _fold(character)]


def _word_edge(text: str, start: int, end: int) -> bool:
    """Tell whether a span neither begins nor ends inside a word."""
    inside_before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    inside_after = end < len(text) and text[end].isalnum() and text[end - 1].isalnum()
    return not inside_before and not inside_after


def _spellings(value: KnownValue) -> list[str]:
    """Return a value and the other ways to write it: dates in the usual orders."""
    if value.type != "birth_date":
        return [value.value]
    parts = value.value.split("-")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return [value.value]
    year, month, day = (int(part) for part in parts)
    if not is_date(year, month, day):
        return [value.value]
    name = _MONTHS[month - 1]
    words = [f"{name} {day} {year}", f"{day} {name} {year}", f"{name[:3]} {day} {year}", f"{day} {name[:3]} {year}"]
    words += [
        f"{name} {day}{_ordinal(day)} {year}",
        f"{day}{_ordinal(day)} {name} {year}",
        f"{day}{_ordinal(day)} of {name} {year}",
    ]
    numbers = [
        f"{month:02d}{day:02d}{year}",
        f"{day:02d}{month:02d}{year}",
        f"{month}/{day}/{year}",
        f"{day}/{month}/{year}",
    ]
    return [value.value, f"{year}{month:02d}{day:02d}", *numbers, *words]


def _ordinal(day: int) -> str:
    return "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
