"""What an enforcement point can say about a call without understanding it. Pure.

Four facts travel with every question and policies read them as ``context.task``. All are sets of strings:

* ``from_user``  argument values that the user's own request spells out;
* ``vouched``    those, and values that the account's own directory holds (payees paid before, contacts, colleagues);
* ``asked``      words of a small fixed vocabulary that occur in the user's request (``delete``, ``calendar``, …);
* ``used``       tools that already ran in this task.

They are computed from the request as it came in and from a directory read *before* the task, so nothing that the agent
reads on the way (a web page, a bill, a mail) can add to the first three. They are as trustworthy as the enforcement
point that computes them, never more: a program that can forge them could also skip the question.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MIN_VALUE_LENGTH: Final = 3
"""Shorter values occur in any text by chance, so they never count as named."""

_WORD: Final = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Request:
    """The user's request: its text, the directory of the account, the vocabulary that policies may ask about."""

    text: str
    directory: frozenset[str]
    trusted_text: str = ""
    vocabulary: frozenset[str] = frozenset()
    asked: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        words = set(_WORD.findall(self.text.lower()))
        object.__setattr__(self, "asked", frozenset(words & self.vocabulary))


def about(request: Request, arguments: Mapping[str, Any], used: Iterable[str]) -> dict[str, list[str]]:
    """Return the facts for one call with these arguments, sorted so that the same call gives the same bytes."""
    values = set(_strings(arguments))
    from_user = {value for value in values if names(request.text, value)}
    known = {value for value in values if value in request.directory or names(request.trusted_text, value)}
    return {
        "asked": sorted(request.asked),
        "from_user": sorted(from_user),
        "vouched": sorted(from_user | known),
        "used": sorted(set(used)),
    }


def names(text: str, value: str) -> bool:
    """Tell whether ``text`` spells out ``value`` whole: neither ``x-a.com`` nor ``a.com.evil.net`` names ``a.com``."""
    if len(value) < MIN_VALUE_LENGTH or value not in text:
        return False
    return re.search(rf"(?<![\w@./-]){re.escape(value)}(?![\w@/-]|\.[a-z0-9])", text) is not None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
