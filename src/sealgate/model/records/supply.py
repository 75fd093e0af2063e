"""Where tools come from, and how far they are trusted."""

from typing import Literal

import msgspec

from .common import Common


class PackageVerified(Common, kw_only=True, forbid_unknown_fields=True):
    """Somebody or something checked a tool package. ``score`` is 0 to 100 where the method gives one."""

    package: str
    version: str
    publisher: str | None
    method: str
    result: Literal["passed", "failed"]
    score: int | None
    artifact_sha256: str | None
    principal: str


class Verification(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The newest verification of a package at a time."""

    record_id: str
    time: str
    method: str
    result: Literal["passed", "failed"]
    score: int | None


class PackageInstalled(Common, kw_only=True, forbid_unknown_fields=True):
    """A package was installed for an agent: it provides ``server``'s tools. ``verification`` is as it was then."""

    package: str
    version: str
    target_agent: str
    server: str
    verification: Verification | None
    principal: str


class TrustScored(Common, kw_only=True, forbid_unknown_fields=True):
    """A tool's or a tool server's trust changed; ``previous_*`` are what it was."""

    target_type: Literal["tool", "server"]
    target: str
    trust_level: str
    score: int
    previous_level: str | None
    previous_score: int | None
    reason: str
    principal: str
