"""What travels between senders, the collector and the authority: batches of items and their answers."""

from typing import Annotated, Final, Literal

import msgspec

from .evaluation import ReceiptReference
from .limits import MAX_BATCH_BODY_BYTES, MAX_BATCH_ITEMS

MAX_BATCHES: Final = 64
"""Batches in one request to the authority: what gathers while it records the ones before."""

MAX_BATCHES_BYTES: Final = 8 * MAX_BATCH_BODY_BYTES
"""One request with batches, in bytes."""


MAX_SENT_BYTES: Final = 4 * MAX_BATCH_BODY_BYTES
"""One batch as its sender sends it, in bytes: members that the collector drops or shortens included."""


class BatchRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Items that become one record: one retention class, one subject or none, one sender.

    ``items`` are canonical texts; the authority does not look into them. ``agent`` is null where they are of several
    agents. ``principal`` and ``proof`` are the sender's, as the collector found them.
    """

    batch_id: str
    agent: str | None
    principal: str
    proof: Literal["unix_peer", "api_key", "mutual_tls", "loopback", "signed_callback", "internal"]
    coverage: Literal["captured", "observed"]
    retention_class: str
    subject: str | None
    region: str | None
    environment: str | None
    items: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_BATCH_ITEMS)]


class BatchesRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Batches that become durable together."""

    batches: Annotated[list[BatchRequest], msgspec.Meta(min_length=1, max_length=MAX_BATCHES)]


class BatchRecorded(msgspec.Struct, frozen=True):
    """One batch is on stable storage, in this record."""

    batch_id: str
    record_id: str
    receipt: ReceiptReference


class BatchesRecorded(msgspec.Struct, frozen=True):
    """All batches of a request are on stable storage, in the order of the request."""

    recorded: list[BatchRecorded]
