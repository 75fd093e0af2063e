"""Judging elsewhere: policy evaluation on another processor, for an authority that has more than one."""

from asyncio import Future
from dataclasses import dataclass
from typing import Any, Protocol

from sealgate.model.decisions import Outcome, Reason


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a policy set says of one question, before limits. ``obligations`` are in the API's form."""

    outcome: Outcome
    reason: Reason
    message: str
    policies: list[str]
    obligations: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Matter:
    """One question: (type, id) of principal and resource, the action's name, arguments and facts as JSON bytes."""

    principal: tuple[str, str]
    action: str
    resource: tuple[str, str]
    arguments: bytes
    facts: bytes


class Judges(Protocol):
    """Evaluates policy sets in other processes. Owned by one event loop.

    The same policy set and question give the same judgement wherever they are evaluated. Judges only ever add speed:
    the caller judges by itself when there is no answer.
    """

    def load(self, version: str, bundle: bytes) -> None:
        """Make a policy set known; returns at once. Until it is loaded, ``ask`` declines for that version."""

    def busy(self, version: str, under_way: int) -> bool:
        """Tell whether asking about this policy set is worth it while so many decisions are under way."""

    def ask(self, version: str, matter: Matter) -> "Future[Judgement | None] | None":
        """Return a future of the judgement, or None where the policy set is not loaded there.

        The future's result is None when the judge failed; it is done at the latest when the judge has died or a
        deadline of its own has passed.
        """

    def close(self) -> None:
        """Let the other processes end. Idempotent."""
