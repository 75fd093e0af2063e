"""What the scripted agent's calls go through: a real gate, or none at all for comparison."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sealgate.model.decisions import Outcome

Action = Callable[[Mapping[str, Any]], str | None]
"""Runs the tool with these arguments; returns its error text, or None where it succeeded."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One tool call that an agent wants to make, with what its enforcement point can say about it."""

    agent: str
    server: str
    tool: str
    arguments: Mapping[str, Any]
    facts: Mapping[str, list[str]]
    task_id: str
    goal: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gate said and what became of the call. ``ran`` is true only where the tool's body was entered."""

    outcome: Outcome
    reason: str
    policies: tuple[str, ...] = ()
    message: str = ""
    record_id: str | None = None
    ran: bool = False
    error: str | None = None


class Gate(Protocol):
    """Decides, and runs ``action`` only on PERMIT, after the permit was redeemed. Never raises for a refusal."""

    def call(self, proposal: Proposal, action: Action) -> Answer:
        """Ask, then run ``action`` with the judged arguments, or not."""
        ...


class NoGate:
    """Runs everything: what happens to the same agent and the same attack without Sealgate."""

    def call(self, proposal: Proposal, action: Action) -> Answer:
        """Run ``action`` unasked."""
        error = action(proposal.arguments)
        return Answer(outcome=Outcome.PERMIT, reason="no gate", ran=True, error=error)
