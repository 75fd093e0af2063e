"""What enforcement points and telemetry hand in, and what was missed."""

from typing import Literal

from .common import Common


class Captured(Common, kw_only=True, forbid_unknown_fields=True):
    """Something that an enforcement point captured; ``data_json`` is RFC 8785 text, so any keys and numbers fit."""

    data_json: str
    claimed: Literal[True]


class RecordsCaptured(Common, kw_only=True, forbid_unknown_fields=True):
    """Many items in one record: each the canonical text (RFC 8785) of one item, in the order of their arrival.

    ``principal`` sent them to the collector, ``proof`` is how it was proved; ``agent`` is null where they are of
    several agents. ``subject`` is the token of the one person they are about, or null. ``batch_id`` counts once for a
    principal.
    """

    batch_id: str
    coverage: Literal["captured", "observed"]
    principal: str
    proof: str
    count: int
    subject: str | None
    items: list[str]


class CaptureGap(Common, kw_only=True, forbid_unknown_fields=True):
    """What could not be recorded: ``missed`` requests met silence; these sequence numbers will never come."""

    gap_epoch: str
    seq_from: int | None
    seq_to: int | None
    missed: int
    reason: str
    since: str
