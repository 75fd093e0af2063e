"""Paths of fields: names joined by dots, ``*`` for one name or position, ``**`` for any number of them."""

from fnmatch import fnmatchcase
from typing import Final

from ..model.errors import ConfigurationError

Path = tuple[str, ...]
ANY_DEPTH: Final = "**"
MAX_PARTS: Final = 32


def parse(text: str) -> Path:
    """Return the parts of a path.

    Raises:
        ConfigurationError: it has an empty part or too many.
    """
    parts = tuple(text.split("."))
    if not all(parts) or len(parts) > MAX_PARTS:
        raise ConfigurationError(f"`{text[:80]}` is not a path", hint="write names joined by dots, `*` or `**`")
    return parts


def show(path: Path) -> str:
    """Return a path as it is written."""
    return ".".join(path)


def fits(pattern: Path, path: Path) -> bool:
    """Tell whether a pattern describes exactly this path. Linear in the path for each ``**``."""
    states = {0}
    for part in path:
        following = set()
        for state in _closed(states, pattern):
            if state < len(pattern):
                if pattern[state] == ANY_DEPTH:
                    following.add(state)
                elif pattern[state] == "*" or fnmatchcase(part, pattern[state]):
                    following.add(state + 1)
        states = following
    return len(pattern) in _closed(states, pattern)


def may_fit_below(pattern: Path, path: Path) -> bool:
    """Tell whether a pattern can describe something below this path."""
    for part, wanted in zip(path, pattern, strict=False):
        if wanted == ANY_DEPTH:
            return True
        if wanted != "*" and not fnmatchcase(part, wanted):
            return False
    return len(pattern) > len(path)


def _closed(states: set[int], pattern: Path) -> set[int]:
    closed = set(states)
    for state in sorted(states):
        at = state
        while at < len(pattern) and pattern[at] == ANY_DEPTH:
            at += 1
            closed.add(at)
    return closed
