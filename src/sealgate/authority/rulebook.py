"""The current policy set, ready to judge: the decision point, the limits, the tools' definitions."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sealgate.model.decisions import Outcome, Reason


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules say, before it is recorded. ``release`` gives reserved quotas back if it never is."""

    outcome: Outcome
    reason: Reason
    message: str
    policies: list[str] = field(default_factory=list)
    policy_version: str | None = None
    obligations: list[dict[str, Any]] = field(default_factory=list)
    charges: list[dict[str, Any]] = field(default_factory=list)
    tool: dict[str, Any] | None = None
    release: Callable[[], None] | None = None
