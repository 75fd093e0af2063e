"""What reading policies judge: a reader in one role, the box it asks about, the parts of a record it may see."""

from enum import StrEnum
from typing import Any, Final

import msgspec

from sealgate.model.grants import READING_ROLES

FOREVER_MS: Final = 1 << 52
"""Later than any record, and a number that Cedar and JSON both hold exactly."""

ROLES: Final = READING_ROLES
"""The roles in which evidence is read, from the one that sees least."""

READING_OPERATIONS: Final = ("trace", "search", "aggregate", "explain", "export", "status", "rebuild")
"""What can be asked; each is a Cedar action."""


class Part(StrEnum):
    """A group of members of a record that is seen or hidden as one."""

    ENVELOPE = "envelope"
    """When, which agent, kind, tool and trace, how much is proved: without it a record is not shown at all."""

    DECISION = "decision"
    """The decision, what determined it, what came of it."""

    PEOPLE = "people"
    """Who called, on whose behalf, under which request."""

    SUBJECTS = "subjects"
    """Tokens of the people whose data was touched, and its classification."""

    CONTENT = "content"
    """What was written: messages, reasons, attributes, captured text."""


class Box(msgspec.Struct, frozen=True):
    """A region of the evidence: these agents, these kinds (None: every), from ``since_ms`` up to ``until_ms``."""

    agents: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    since_ms: int = 0
    until_ms: int = FOREVER_MS

    def as_cedar(self) -> dict[str, Any]:
        """Return the box as the engine takes it."""
        return {
            "everyAgent": self.agents is None,
            "agents": sorted(self.agents or ()),
            "everyKind": self.kinds is None,
            "kinds": sorted(self.kinds or ()),
            "since": self.since_ms,
            "until": self.until_ms,
        }


EVERYTHING: Final = Box()


class Reading(msgspec.Struct, frozen=True):
    """A reader in one role: whom it speaks for (None: every agent), its grant's box and time."""

    principal: str
    role: str
    own: frozenset[str] | None = frozenset()
    box: Box = EVERYTHING
    boxed: bool = False
    valid_from_ms: int = 0
    valid_until_ms: int = FOREVER_MS


class Sight(msgspec.Struct, frozen=True):
    """What the policies say: whether it may be asked, what determined that, which parts of a record are shown."""

    allowed: bool
    policies: tuple[str, ...] = ()
    parts: frozenset[Part] = frozenset()
    message: str = ""

    @property
    def hidden(self) -> list[str]:
        """The parts that are not shown, by name."""
        return sorted(part.value for part in Part if part not in self.parts)
