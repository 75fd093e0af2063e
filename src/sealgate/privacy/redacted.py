"""What redaction leaves: the item as it may leave, what was done to it, and which tokens would do better."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol


class TokenSource(Protocol):
    """Gives tokens for values that it knows already; it never waits."""

    def token(self, kind: str, value: str, subject: str | None) -> str | None:
        """Return the token of a value, or None where it has to be asked for first."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """What was done at one path to values of one type."""

    path: str
    type: str
    action: str
    count: int

    def as_mapping(self) -> dict[str, Any]:
        """Return it as the item's ``redactions`` hold it."""
        return {"path": self.path, "type": self.type, "action": self.action, "count": self.count}


class Wanted(NamedTuple):
    """A value for which the policy wants a token that was not at hand. Holds raw data: not for logs."""

    type: str
    value: str
    subject: str | None

    def __repr__(self) -> str:
        return f"Wanted({self.type})"


@dataclass(frozen=True, slots=True)
class Redacted:
    """The item as it may leave, what was done, whose data was seen, and which tokens to fetch for a better answer."""

    item: dict[str, Any]
    redactions: tuple[Redaction, ...]
    subjects: tuple[str, ...]
    needs_tokens: tuple[Wanted, ...] = field(default=(), repr=False)
