"""Who read evidence, and who may."""

from enum import StrEnum
from typing import Literal

import msgspec

from .common import Common


class Reader(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Who asked: the caller, how it was proved, the reading roles it held then."""

    principal: str
    proof: str
    roles: list[str]


class FilterTerm(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One term of what was asked for. ``value`` is null where the value itself may be personal."""

    field: str
    value: str | None


class Operation(StrEnum):
    """What was done with evidence."""

    TRACE = "trace"
    SEARCH = "search"
    AGGREGATE = "aggregate"
    EXPLAIN = "explain"
    EXPORT = "export"
    STATUS = "status"
    REBUILD = "rebuild"
    SUBJECT_FIND = "subject.find"
    SUBJECT_EXPORT = "subject.export"
    SUBJECT_REGISTER = "subject.register"
    LOOKUP_REQUEST = "lookup.request"
    LOOKUP_CONSENT = "lookup.consent"
    LOOKUP_REFUSE = "lookup.refuse"
    LOOKUP_DISCLOSE = "lookup.disclose"
    KNOWN_VALUES = "known_values"


class Access(Common, kw_only=True, forbid_unknown_fields=True):
    """Evidence was read, or somebody tried. It is durable before the answer leaves.

    ``target`` is the record, trace, token or subject asked for; ``filter`` the rest of the question. ``count`` says how
    many records left, ``record_ids`` names the first of them. ``policies`` decided, ``hidden`` are members they hid.
    """

    service: Literal["evidence", "vault", "authority"]
    operation: Operation
    reader: Reader
    target: str | None
    filter: list[FilterTerm]
    outcome: Literal["allowed", "refused"]
    refusal: str | None
    policies: list[str]
    policy_version: str | None
    hidden: list[str]
    count: int | None
    record_ids: list[str]
    digest: str | None
    reason: str | None
    approver: str | None


class RoleGranted(Common, kw_only=True, forbid_unknown_fields=True):
    """A principal may read in a role. Empty lists and null do not narrow; ``since`` and ``until`` bound the records."""

    grant_id: str
    principal: str
    role: str
    granted_by: str
    reason: str
    valid_from: str | None
    valid_until: str | None
    agents: list[str]
    kinds: list[str]
    since: str | None
    until: str | None


class RoleRevoked(Common, kw_only=True, forbid_unknown_fields=True):
    """A granted role was taken back."""

    grant_id: str
    principal: str
    role: str
    revoked_by: str
    reason: str
