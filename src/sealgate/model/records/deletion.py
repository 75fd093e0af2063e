"""What is deleted, for a person or because its time is over, and what a hold keeps."""

from typing import Literal

import msgspec

from .common import Common


class ErasureRequested(Common, kw_only=True, forbid_unknown_fields=True):
    """Somebody asked to erase a subject. ``subject`` is a token; what it stood for is nowhere in the log."""

    erasure_id: str
    subject: str
    basis: str


class ErasureRefused(Common, kw_only=True, forbid_unknown_fields=True):
    """An erasure was refused: a legal ground or a hold keeps the data."""

    erasure_id: str
    subject: str
    basis: str
    ground: str
    reason: str


class ErasureExecuted(Common, kw_only=True, forbid_unknown_fields=True):
    """All data keys of a subject are destroyed; backups of them are too by ``complete_after``.

    ``key_ids`` names at most 512 of the ``keys``. ``index_digest`` = base64url(SHA-256 of the 8-byte big-endian indexes
    of the ``records`` that can be read no more, all in [``from_index``, ``to_index``)).
    """

    erasure_id: str
    subject: str
    basis: str
    requested_record_id: str
    scopes: list[str]
    keys: int
    key_ids: list[str]
    from_index: int
    to_index: int
    records: int
    index_digest: str
    vault: Literal["erased", "not_used"]
    complete_after: str


class HoldSelection(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a hold covers: every list that is not empty must contain the record, and its time lies in the range."""

    subjects: list[str]
    tasks: list[str]
    agents: list[str]
    classes: list[str]
    records: list[str]
    since: str | None
    until: str | None


class HoldEvent(Common, kw_only=True, forbid_unknown_fields=True):
    """A hold was placed or released: first ``requested`` by one person, then ``confirmed`` by another."""

    hold_id: str
    stage: Literal["requested", "confirmed"]
    selection: HoldSelection
    reason: str
    principal: str


class RetentionExpired(Common, kw_only=True, forbid_unknown_fields=True):
    """Content is about to be deleted because its time is over. Written before the deletion; holds no personal data.

    ``indexes`` names the records exactly: base64url of a deflated bitmap whose first bit is ``from_index``, in each
    byte from the lowest bit. ``layer`` ``key``: these data keys seal nothing any more and are destroyed; the indexes
    are null then. ``held`` counts the records of class and range that were due and that a hold keeps.
    """

    layer: Literal["body", "statement", "shard", "key"]
    run_id: str
    from_index: int | None
    to_index: int | None
    indexes: str | None
    expired_class: str
    count: int
    held: int
    key_ids: list[str]
