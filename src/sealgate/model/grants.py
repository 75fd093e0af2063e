"""A granted reading role: who may read in which role, for how long, how much of the evidence."""

from datetime import datetime

import msgspec

from .errors import InputError
from .identifiers import require_name

READING_ROLES = ("agent", "developer", "analyst", "investigator", "compliance", "administrator", "auditor")
"""The roles in which evidence is read, from the one that sees least."""

MAX_NAMES = 64
"""Agents or kinds of one grant."""


class Grant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One grant. Times are RFC 3339, ends exclusive; empty lists and null do not narrow."""

    grant_id: str
    principal: str
    role: str
    valid_from: str | None = None
    valid_until: str | None = None
    agents: list[str] = []
    kinds: list[str] = []
    since: str | None = None
    until: str | None = None
    granted_by: str = ""
    reason: str = ""


class GrantRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an administrator asks for; the authority gives it an id."""

    principal: str
    role: str
    reason: str
    valid_from: str | None = None
    valid_until: str | None = None
    agents: list[str] = []
    kinds: list[str] = []
    since: str | None = None
    until: str | None = None
    request_id: str | None = None


class RevokeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a grant is taken back."""

    reason: str


class Grants(msgspec.Struct, frozen=True):
    """All grants in force or to come."""

    grants: list[Grant]


def check(grant: Grant | GrantRequest) -> None:
    """Refuse a grant that means nothing or more than it seems.

    Raises:
        InputError: an unknown role, a malformed name or time, an auditor without an end and a box.
    """
    require_name(grant.principal, "principal")
    if grant.role not in READING_ROLES:
        raise InputError(f"`{grant.role[:40]}` is not a reading role", hint=f"one of {', '.join(READING_ROLES)}")
    if len(grant.agents) > MAX_NAMES or len(grant.kinds) > MAX_NAMES:
        raise InputError(f"a grant names at most {MAX_NAMES} agents and kinds", hint="make several grants")
    for name in (*grant.agents, *grant.kinds):
        require_name(name, "agent or kind")
        if "*" in name:
            raise InputError(f"`{name}` has a star", hint="name each; none means all")
    for start, end in ((grant.valid_from, grant.valid_until), (grant.since, grant.until)):
        first, last = (None if text is None else unix_ms(text) for text in (start, end))
        if first is not None and last is not None and first >= last:
            raise InputError(f"the time from {start} to {end} is empty", hint="give the earlier time first")
    if grant.role == "auditor":
        if grant.valid_until is None:
            raise InputError("an auditor's grant has no end", hint="give `valid_until`")
        if not (grant.agents or grant.kinds or grant.since or grant.until):
            raise InputError("an auditor's grant has no box", hint="give agents, kinds, or the time of the records")


def unix_ms(text: str) -> int:
    """Return Unix milliseconds of an RFC 3339 time with a zone.

    Raises:
        InputError: it is none.
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"`{text[:40]}` is not a time", hint="write 2026-01-31T00:00:00Z") from error
    if time.tzinfo is None:
        raise InputError(f"`{text[:40]}` has no time zone", hint="end it with Z")
    return round(time.timestamp() * 1000)
