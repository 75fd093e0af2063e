"""What travels to and from the vault."""

import msgspec

from sealgate.vault.lookups import Lookup
from sealgate.vault.tokens import Value


class TokensRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Values to be exchanged for tokens."""

    values: list[Value]


class TokensAnswer(msgspec.Struct, frozen=True):
    """A token for each value, in order."""

    tokens: list[str]


class SubjectRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person's values, to be matched in texts from now on; ``subject`` to add them to a registered person."""

    values: list[Value]
    subject: str | None = None


class SubjectAnswer(msgspec.Struct, frozen=True):
    """The person's token."""

    subject: str


class FindRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who has this value?"""

    type: str
    value: str


class FindAnswer(msgspec.Struct, frozen=True):
    """The subjects that have the value."""

    subjects: list[str]


class LookupRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What does this token stand for, and why do you need to know?"""

    token: str
    reason: str


class LookupsAnswer(msgspec.Struct, frozen=True):
    """The look-ups that wait for a second person."""

    lookups: list[Lookup]
