"""Erasing a person: what is asked, on what ground it is done or refused, how far it is.

The codes name the provision, not the case; what somebody wrote stays outside.
"""

from enum import StrEnum
from typing import Literal

import msgspec


class State(StrEnum):
    """How far an erasure is. ``planned`` cannot be undone any more: it is finished after any crash."""

    REQUESTED = "requested"
    REFUSED = "refused"
    PLANNED = "planned"
    EXECUTED = "executed"


Basis = Literal[
    "gdpr-17-1-a",
    "gdpr-17-1-b",
    "gdpr-17-1-c",
    "gdpr-17-1-d",
    "gdpr-17-1-e",
    "gdpr-17-1-f",
    "ccpa-1798.105",
    "contract",
    "other",
]
"""Why it is erased. GDPR 17(1): a purpose ended, b consent withdrawn, c objection, d unlawful, e duty, f child."""

Ground = Literal[
    "legal-hold", "gdpr-17-3-a", "gdpr-17-3-b", "gdpr-17-3-c", "gdpr-17-3-d", "gdpr-17-3-e", "ccpa-1798.105-d", "other"
]
"""Why it is not. GDPR 17(3): a expression, b legal obligation, c public health, d archives, e legal claims."""


class ErasureRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Erase a subject. The same ``erasure_id`` (a UUID of the caller) again continues or repeats the answer.

    ``vault``: ``pending`` asks whether it may be done, and stops there; after the vault forgot the subject the same
    request with ``erased`` goes on; ``not_used`` where no vault knows the subject. ``refuse`` names a legal ground that
    the operator found. ``requested_by`` is whom a service of ours asks for; of others it is ignored.
    """

    erasure_id: str
    basis: Basis
    vault: Literal["pending", "erased", "not_used"] = "not_used"
    refuse: Ground | None = None
    reason: str = ""
    requested_by: str = ""


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was destroyed: scopes, ids of data keys (hex), and which records cannot be read any more."""

    scopes: list[str]
    key_ids: list[str]
    from_index: int
    to_index: int
    records: int
    index_digest: str


class Erasure(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One erasure as it is kept and answered. Holds a token and key ids, nothing personal."""

    erasure_id: str
    subject: str
    basis: str
    operator: str
    proof: str
    state: State
    requested_record_id: str
    vault: Literal["pending", "erased", "not_used"]
    ground: str | None = None
    reason: str | None = None
    facts: Facts | None = None
    complete_after: str | None = None
    record_id: str | None = None
    index: int | None = None
