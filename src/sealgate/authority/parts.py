"""What an authority is put together from, and its own parts that take more than one line."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sealgate.authority.approval_callbacks import Callbacks
from sealgate.authority.approval_requests import Requests
from sealgate.authority.approval_requests import Settings as ApprovalSettings
from sealgate.authority.approvals import Approvals, Notify
from sealgate.authority.credential_sources import Source
from sealgate.authority.delegations import Unproven
from sealgate.authority.gate import Times
from sealgate.authority.key_rotation import Rotations
from sealgate.authority.permits import PermitMac
from sealgate.authority.publisher import Publisher
from sealgate.authority.reader import Reader
from sealgate.authority.receipts import Receipts
from sealgate.authority.recorder import Recorder
from sealgate.authority.retention import Retention
from sealgate.authority.retention_parts import Bundles, RetainedJournal
from sealgate.authority.retention_parts import Parts as RetentionParts
from sealgate.authority.retention_parts import Settings as RetentionSettings
from sealgate.authority.state import Memory
from sealgate.model.records import Kind
from sealgate.ports.archiving import Archiver
from sealgate.ports.datakeys import DataKeys
from sealgate.ports.judging import Judges
from sealgate.privacy import FieldPolicy, RedactionKeys, redact_item

_FIELD_POLICY: Final = FieldPolicy.from_mapping({})


class Storage(Protocol):
    """The authority's small files. Every write is durable and atomic on return."""

    def load_policy(self, version: str) -> bytes | None:
        """Return the stored policy set with this version, or None."""

    def store_policy(self, version: str, bundle: bytes) -> None:
        """Keep a policy set under its version; storing the same again is no error."""

    def load_snapshot(self) -> bytes | None:
        """Return the last snapshot, or None."""

    def store_snapshot(self, sealed: bytes) -> None:
        """Replace the snapshot."""

    def load_run(self) -> bytes | None:
        """Return the note of a retention run under way, or None."""

    def store_run(self, note: bytes | None) -> None:
        """Replace that note, or remove it."""

    def public_file(self, name: str) -> bytes | None:
        """Return a file of the public log directory, or None."""

    def load_erasures(self) -> list[bytes]:
        """Return all stored states of erasures, in no order."""

    def store_erasure(self, erasure_id: str, state: bytes) -> None:
        """Replace the state of an erasure."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an authority is put together from; chosen in one place, the composition root."""

    memory: Memory
    journal: RetainedJournal
    data_keys: DataKeys
    recorder: Recorder
    reader: Reader
    permits: PermitMac
    receipts: Receipts
    publisher: Publisher
    storage: Storage
    times: Times
    genesis: dict[str, Any]
    rotations: Rotations
    judges: Judges | None
    close: Callable[[], None]
    second_person: bool = False
    """Whether a policy set needs another person's approval before it is in force."""

    settings: Mapping[str, str] = field(default_factory=dict)
    """The configuration in force without secrets, by name; a change of it is a record."""
    backup_days: int = 30
    retention: RetentionSettings | None = None
    bundles: Bundles | None = None
    archiver: Archiver | None = None
    unproven: Unproven = "judge"
    """What becomes of `on_behalf_of` that no delegation proves."""
    approvals: ApprovalSettings = field(default_factory=lambda: ApprovalSettings({}))
    redact: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    """Applies the field policy to what approvers see; None: the smallest one."""
    notify: Notify | None = None
    callback_key: bytes | None = None
    callback_approvers: frozenset[str] = frozenset()
    credentials: tuple[Source, ...] = ()
    token_keys: Mapping[str, Any] = field(default_factory=lambda: {"keys": []})
    """The public half of the key that signs tokens, as a JSON Web Key Set."""


def approvals_of(parts: Parts) -> Approvals:
    """Return the approvals over these parts, answered by callback too."""
    recorder = parts.recorder
    requests = Requests(
        book=parts.memory.approvals,
        permits=parts.permits,
        settings=parts.approvals,
        redact=parts.redact or _smallest_policy,
        time_text=recorder.time.text,
        new_draft=lambda: recorder.draft(Kind.APPROVAL_REQUESTED),
    )
    approvals = Approvals(
        memory=parts.memory, recorder=recorder, requests=requests, settings=parts.approvals, notify=parts.notify
    )
    callbacks = Callbacks(
        approvals, parts.callback_key, parts.callback_approvers, lambda: recorder.time.now_ms() // 1000
    )
    approvals.answer_callback = callbacks.answer
    return approvals


def _smallest_policy(item: dict[str, Any]) -> dict[str, Any]:
    return redact_item(item, _FIELD_POLICY, RedactionKeys(None)).item


def retention_of(parts: Parts) -> Retention | None:
    """Return retention over these parts, or None where it is not set up."""
    if parts.retention is None or parts.bundles is None:
        return None
    return Retention(
        RetentionParts(
            memory=parts.memory,
            journal=parts.journal,
            reader=parts.reader,
            recorder=parts.recorder,
            data_keys=parts.data_keys,
            bundles=parts.bundles,
            notes=parts.storage,
            settings=parts.retention,
            entropy=os.urandom,
            archiver=parts.archiver,
        )
    )
