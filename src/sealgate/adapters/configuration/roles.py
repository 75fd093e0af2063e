"""What callers may do, and which of it no one may do together."""

from collections.abc import Iterable
from typing import Final

from sealgate.model.errors import ConfigurationError
from sealgate.model.grants import READING_ROLES

GATE_ROLES: Final = (
    "enforce",
    "observe",
    "operate",
    "publish",
    "approve",
    "read",
    "administer",
    "collect",
    "service",
    "retain",
)
"""What a caller may do: ask and report; send telemetry; pause, resume, rotate; publish or propose policies; approve
what another proposed; read any receipt; administer; hand in batches that others sent (a collector); record what a
service did; place holds and run retention."""

VAULT_ROLES: Final = ("erase", "tokenize", "subjects", "lookup", "consent")
"""What a caller may do with people's data: destroy a person's data keys; exchange values for tokens; register, find,
export and erase persons; ask what a token stands for; consent to what another asked."""

ROLES: Final = GATE_ROLES + VAULT_ROLES + READING_ROLES
"""Those, and how a caller reads evidence; the reading policies say what each may see."""

SEPARATE: Final = (frozenset({"publish", "approve"}),)
"""Roles that no one may hold together: who changes the policy does not approve the change."""


def not_separate(roles: Iterable[str]) -> str:
    """Return what is wrong with holding these roles together, or nothing."""
    held = frozenset(roles)
    for pair in SEPARATE:
        if pair <= held:
            return "holds " + " and ".join(f"`{role}`" for role in sorted(pair))
    return ""


def require_separate(who: str, roles: Iterable[str]) -> None:
    """Refuse roles that no one may hold together.

    Raises:
        ConfigurationError: says who holds which.
    """
    problem = not_separate(roles)
    if problem:
        raise ConfigurationError(f"{who} {problem}", hint="give one of them to another person")
