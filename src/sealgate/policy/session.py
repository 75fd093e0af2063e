"""Session facts: what the authority itself knows about one task. Pure; time and salt are arguments.

They are kept apart from facts that a caller sends: a caller feeds them only through observations, and nothing it says
takes anything back. Classes of data, sources and untrusted content only accumulate.

Policies read them as ``context.session`` and, per argument, ``context.provenance.<argument>``.
"""

import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from .provenance import ORIGINS, PERSON, UNTRUSTED, Fingerprints, Origin

Json = Any

SESSION: Final = "session"
PROVENANCE: Final = "provenance"

MAX_NAMES: Final = 256
"""Tools, sources and classes remembered by name for one task; more of them makes the task not whole."""

MAX_RECENT: Final = 1024
"""Times of calls that are kept for rates."""

MINUTE_MS: Final = 60_000

ASKED: Final[Mapping[str, str]] = {
    word: verb
    for verb, words in {
        "add": "add append include attach",
        "book": "book reserve reservation",
        "cancel": "cancel abort",
        "change": "change modify edit adjust correct",
        "create": "create make write new generate draft",
        "delete": "delete remove erase drop purge destroy clear",
        "deploy": "deploy release rollout scale restart provision",
        "execute": "execute run start launch",
        "export": "export download dump extract",
        "forward": "forward",
        "invite": "invite participant participants",
        "move": "move rename reschedule postpone shift",
        "password": "password passphrase credential credentials",
        "pay": "pay refund transfer wire settle reimburse repay payment",
        "post": "post publish announce",
        "read": "read show list find look search check tell",
        "schedule": "schedule recurring standing set",
        "send": "send email mail message reply notify",
        "share": "share grant",
        "update": "update",
        "upload": "upload",
    }.items()
    for word in words.split()
}
"""Words of a person's request that tell what was asked for, and the verb that each stands for."""

_NO_NAMES: Final[frozenset[str]] = frozenset()
"""One object for all: most of thousands of tasks have read nothing, and the collector walks through every set."""

_WORD: Final = re.compile(r"[a-z]+")


class Kept(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True, gc=False):
    """The part of a task's facts that survives a restart; fingerprints do not, so the restored task is not whole."""

    agent: str
    task: str
    last_ms: int
    calls: int = 0
    refused: int = 0
    untrusted_entered: bool = False
    tools: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


class TaskFacts:
    """What is known about one task."""

    __slots__ = (
        "_kept",
        "_recent",
        "asked",
        "calls",
        "classes",
        "last_ms",
        "prints",
        "reads",
        "refused",
        "tools",
        "untrusted",
    )

    def __init__(self, salt: bytes, *, whole: bool = True) -> None:
        self.prints = Fingerprints(salt, whole=whole)
        self.calls = 0
        self.refused = 0
        self.untrusted = False
        self.tools = _NO_NAMES
        self.classes = _NO_NAMES
        self.reads = _NO_NAMES
        self.asked = _NO_NAMES
        self.last_ms = 0
        self._recent: deque[int] = deque(maxlen=MAX_RECENT)
        self._kept: Kept | None = None

    def decided(self, tool: str, now_ms: int, *, permitted: bool) -> None:
        """Count one decision."""
        self._kept = None
        self.last_ms = max(self.last_ms, now_ms)
        if not permitted:
            self.refused += 1
            return
        self.calls += 1
        self._recent.append(now_ms)
        self.tools = self._named(self.tools, tool)

    def observed(
        self,
        origin: Origin,
        now_ms: int,
        *,
        source: str | None = None,
        classification: str | None = None,
        asked: Iterable[str] = (),
    ) -> None:
        """Note that something entered; its content goes to ``prints``."""
        self._kept = None
        self.last_ms = max(self.last_ms, now_ms)
        self.untrusted = self.untrusted or origin == UNTRUSTED
        if source:
            self.reads = self._named(self.reads, source)
        if classification:
            self.classes = self._named(self.classes, classification)
        self.asked = _names((*self.asked, *asked))

    def content(self, origin: Origin, values: Iterable[Json], text: str) -> tuple[str, ...]:
        """Fingerprint what entered; return the verbs that a person's text asks for."""
        self.prints.add_values(origin, values)
        if not text:
            return ()
        self.prints.add_text(origin, text)
        return asked_for(text) if origin == PERSON else ()

    def _named(self, names: frozenset[str], name: str) -> frozenset[str]:
        if name in names:
            return names
        if len(names) < MAX_NAMES:
            return names | {name}
        self.prints.whole = False
        return names

    def session(self, now_ms: int) -> dict[str, Json]:
        """Return ``context.session``, in an order that depends on nothing but the facts."""
        return {
            "asked": sorted(self.asked),
            "calls": self.calls,
            "calls_last_minute": sum(at > now_ms - MINUTE_MS for at in self._recent),
            "classes": sorted(self.classes),
            "reads": sorted(self.reads),
            "refused": self.refused,
            "tools": sorted(self.tools),
            "untrusted_entered": self.untrusted or not self.prints.whole,
            "whole": self.prints.whole,
        }

    def provenance(self, arguments: Mapping[str, Json], wanted: Iterable[str] | None = None) -> dict[str, list[str]]:
        """Return ``context.provenance`` for the arguments that are there and wanted (None: all)."""
        names = arguments.keys() if wanted is None else arguments.keys() & set(wanted)
        return {name: sorted(self.prints.origins(arguments[name])) for name in sorted(names)}

    def kept(self, agent: str, task: str) -> Kept:
        """Return what survives a restart."""
        if self._kept is None:
            self._kept = self._keep(agent, task)
        return self._kept

    def _keep(self, agent: str, task: str) -> Kept:
        return Kept(
            agent=agent,
            task=task,
            last_ms=self.last_ms,
            calls=self.calls,
            refused=self.refused,
            untrusted_entered=self.untrusted,
            tools=_sorted(self.tools),
            classes=_sorted(self.classes),
            reads=_sorted(self.reads),
            asked=_sorted(self.asked),
        )

    @classmethod
    def restored(cls, kept: Kept, salt: bytes) -> "TaskFacts":
        """Return a task after a restart: what it had seen is gone, so unknown values count as untrusted."""
        facts = cls(salt, whole=False)
        facts.calls, facts.refused, facts.untrusted = kept.calls, kept.refused, kept.untrusted_entered
        facts.tools, facts.classes = _names(kept.tools), _names(kept.classes)
        facts.reads, facts.asked = _names(kept.reads), _names(kept.asked)
        facts.last_ms = kept.last_ms
        return facts


def _names(kept: tuple[str, ...]) -> frozenset[str]:
    return frozenset(kept) if kept else _NO_NAMES


def _sorted(names: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(names)) if names else ()


UNKNOWN: Final = TaskFacts(b"", whole=False)
"""A task that nothing is known about: all its values count as untrusted. Never changed."""


def asked_for(text: str) -> tuple[str, ...]:
    """Return the verbs that a person's text asks for, of a small fixed vocabulary."""
    words = set(_WORD.findall(text.lower()))
    return tuple(sorted({ASKED[word] for word in words if word in ASKED}))


__all__ = ["ORIGINS", "PROVENANCE", "SESSION", "UNKNOWN", "Kept", "Origin", "TaskFacts", "asked_for"]
