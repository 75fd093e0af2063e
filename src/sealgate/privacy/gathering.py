"""What a detector has to look at in an item: gathered in one walk, so that one question answers for all of it."""

from collections.abc import Callable
from typing import Any, Final

from .paths import Path

SEPARATOR: Final = "\n\0\n"
"""Between gathered texts: no pattern of ours reaches across it."""

NUMBER_DIGITS: Final = 7
"""Numbers of fewer digits are never looked at by themselves."""

_SHORT: Final = 10 ** (NUMBER_DIGITS - 1)
_CONTENT: Final = frozenset({"digest", "size_bytes", "media_type", "value"})
_NO_TEXT: Final = frozenset({"digest", "size_bytes"})


def is_content(value: Any) -> bool:
    """Tell whether a value is a raw input or output: an object with ``digest`` and ``value``."""
    return isinstance(value, dict) and "digest" in value and "value" in value and _CONTENT.issuperset(value)


def collect(value: Any, texts: list[str]) -> None:
    """Gather all texts that the policy may touch. A content's digest is none of them.

    Random letters make the matcher build a new state for nearly each of them: with digests an item took fifteen times
    as long.
    """
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict):
        untouched = _NO_TEXT if is_content(value) else ()
        for name, entry in value.items():
            if name not in untouched:
                texts.append(name)
                if entry is not None:
                    collect(entry, texts)
    elif isinstance(value, list):
        for entry in value:
            collect(entry, texts)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        texts.append(str(value))


class Walk:
    """One walk over the attributes of an item: contents become what ``keep`` makes of them, ``texts`` is what stays.

    Nothing is changed in place; what has no content in it is not copied either.
    """

    __slots__ = ("_keep", "texts")

    def __init__(self, keep: Callable[[Path, dict[str, Any]], dict[str, Any] | None]) -> None:
        self._keep = keep
        self.texts: list[str] = []

    def members(self, value: dict[str, Any], path: Path) -> dict[str, Any]:
        """Return an object with its contents replaced; itself where it has none."""
        texts, made, deep = self.texts, value, len(path) > 1  # the record model names the members at the top
        for name, entry in value.items():
            kind = type(entry)
            if entry is None:
                if deep:
                    texts.append(name)
            elif kind is str:
                texts += (name, entry)
            else:
                texts.append(name)
                kept = self._other(entry, (*path, name))
                if kept is not entry:
                    made = dict(value) if made is value else made
                    made[name] = kept
        return made

    def _other(self, value: Any, path: Path) -> Any:
        kind = type(value)
        if kind is bool:
            return value
        if kind is int:
            if not 0 <= value < _SHORT:
                self.texts.append(str(value))
        elif kind is dict:
            return self._content(value, path) if is_content(value) else self.members(value, path)
        elif kind is list:
            return self._entries(value, path) if value else value
        else:
            self.texts.append(str(value))
        return value

    def _entries(self, value: list[Any], path: Path) -> list[Any]:
        below = (*path, "*")
        texts, made = self.texts, value
        for position, entry in enumerate(value):
            if type(entry) is str:
                texts.append(entry)
            elif entry is not None:
                kept = self._other(entry, below)
                if kept is not entry:
                    made = list(value) if made is value else made
                    made[position] = kept
        return made

    def _content(self, value: dict[str, Any], path: Path) -> dict[str, Any] | None:
        kept = self._keep(path, value)
        kind = kept.get("media_type") if kept is not None else None
        if kind is not None:
            self.texts += ("media_type", str(kind))
        return kept
