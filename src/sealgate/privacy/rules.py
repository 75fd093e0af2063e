"""The form of a detector's rule. A rule is data: a pattern for re2, a check, what its surroundings must say."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import re2

Check = Callable[[str], bool]

WEAK: Final = 0.3
"""Fits the form; many other things do."""
LIKELY: Final = 0.6
"""Form and check digits, or form and context."""
SURE: Final = 0.9
"""Hardly anything else looks like it."""

DEFAULT_MINIMUM: Final = 0.5
"""Findings below this are not reported unless asked for."""

CONTEXT_BEFORE: Final = 60
CONTEXT_AFTER: Final = 30


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern of one type of data.

    ``group`` is the part of the match that is the value. ``score`` holds without context; where ``context`` (a pattern
    without regard to case) is found near the value, or in the name of its field, ``context_score`` holds; ``by_name``
    lets only the name of the field count. ``apart``: the value may not touch a letter, digit or underscore; ``edges``
    says at which ends of the pattern there is always a letter or digit, so that the matcher sees to that itself (both,
    start, none). ``check`` gets the value and must agree. ``extend`` gets text and start and returns where the value
    ends (0: there is none).
    """

    type: str
    pattern: str
    score: float = LIKELY
    check: Check | None = None
    context: str = ""
    context_score: float = SURE
    group: int = 0
    apart: bool = True
    by_name: bool = False
    edges: str = "both"
    extend: Callable[[str, int], int] | None = None


def written(rule: Rule) -> str:
    """Return a rule's pattern as it is given to the matcher: with word edges where they are known to be."""
    if not rule.apart or rule.group or rule.edges == "none":
        return rule.pattern
    flags, pattern = ("(?i)", rule.pattern[4:]) if rule.pattern.startswith("(?i)") else ("", rule.pattern)
    end = r"\b" if rule.edges == "both" and rule.extend is None else ""
    return rf"{flags}\b(?:{pattern}){end}"


def compile_pattern(pattern: str) -> "re2._Regexp":
    """Return a compiled pattern; its errors are raised, never printed.

    Raises:
        re2.error: not a pattern that re2 can match in linear time.
    """
    return re2.compile(pattern, options())


def options() -> "re2.Options":
    """Return the options of all our patterns: quiet, and with enough memory for the largest set."""
    chosen = re2.Options()
    chosen.log_errors = False
    chosen.max_mem = 64 << 20
    return chosen
