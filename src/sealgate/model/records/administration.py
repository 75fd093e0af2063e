"""The log's keys, its policies and configuration, and who is paused."""

from typing import Literal

from .common import Common


class Genesis(Common, kw_only=True, forbid_unknown_fields=True):
    """The first record of a log: its keys, endorsed by the root key; ``predecessor`` is a closed shard's checkpoint."""

    origin: str
    authority_id: str
    log_key: str
    root_key: str
    statement_key: str
    receipt_key: str
    predecessor: str | None
    root_signature: str


class KeyEvent(Common, kw_only=True, forbid_unknown_fields=True):
    """A key was added, retired or revoked from this index on, endorsed by the root key.

    Of a key that is secret altogether (``wrapping``, ``permit``) the record names the id, and no key.
    """

    origin: str
    key_id: str
    purpose: Literal["statement", "log", "receipt", "wrapping", "permit"]
    algorithm: Literal["ed25519", "aes-256-kw", "blake2b-256"]
    public_key: str | None
    root_signature: str


class PolicyProposed(Common, kw_only=True, forbid_unknown_fields=True):
    """A policy set waits for another person's approval; ``policy_version`` is the digest of its canonical bytes."""

    policy_version: str
    previous_version: str | None
    policies: int
    tools: int
    proposed_by: str


class PolicyPublished(Common, kw_only=True, forbid_unknown_fields=True):
    """A policy set became the current one. ``approved_by`` is the second person, null where none was asked for."""

    policy_version: str
    previous_version: str | None
    policies: int
    tools: int
    proposed_by: str
    approved_by: str | None


class ConfigurationChanged(Common, kw_only=True, forbid_unknown_fields=True):
    """The authority started with another configuration: which settings differ, never their values.

    ``settings`` are all settings as ``name:digest``, by which the next start tells what changed.
    """

    configuration_sha256: str
    previous_sha256: str | None
    changed: list[str]
    settings: list[str]


class Containment(Common, kw_only=True, forbid_unknown_fields=True):
    """An agent was paused or resumed."""

    target_agent: str
    reason: str
