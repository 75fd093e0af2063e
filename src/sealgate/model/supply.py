"""Where tools come from: what the API takes about packages and trust, and what the authority remembers of it."""

from typing import Final, Literal

import msgspec

TRUST_LEVELS: Final = ("untrusted", "low", "medium", "high")
"""From least to most."""

TrustLevel = Literal["untrusted", "low", "medium", "high"]
MAX_SCORE: Final = 100


class VerificationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A package was checked; ``method`` says how (`sigstore`, `checksum`, `review`, …)."""

    package: str
    version: str
    method: str
    result: Literal["passed", "failed"]
    publisher: str | None = None
    score: int | None = None
    artifact_sha256: str | None = None


class InstallationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A package was installed for an agent, to provide the tools of ``server``."""

    package: str
    version: str
    agent: str
    server: str


class TrustRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a tool or a tool server is trusted from now on."""

    target_type: Literal["tool", "server"]
    target: str
    trust_level: TrustLevel
    score: int
    reason: str


class Verified(msgspec.Struct, frozen=True):
    """The newest verification of a package's version."""

    package: str
    version: str
    publisher: str | None
    method: str
    result: str
    score: int | None
    record_id: str
    time: str


class Installed(msgspec.Struct, frozen=True):
    """What an agent has installed behind a tool server."""

    package: str
    version: str
    agent: str
    server: str
    record_id: str
    time: str


class Trusted(msgspec.Struct, frozen=True):
    """One trust score; the newest of a target counts."""

    target_type: str
    target: str
    trust_level: str
    score: int
    reason: str
    principal: str
    record_id: str
    time: str


class Packages(msgspec.Struct, frozen=True):
    """What is verified and installed."""

    verified: list[Verified]
    installed: list[Installed]


class TrustScores(msgspec.Struct, frozen=True):
    """Trust scores, newest last."""

    scores: list[Trusted]
