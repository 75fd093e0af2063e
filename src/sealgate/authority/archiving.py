"""What remains of records when a closed part of the journal is written anew: everything, or what the plan leaves.

A body is opened, and sealed again together with others under the same data key. Two bodies change their key: those of
the ledger's own kinds, which outlive every class, and those that a hold keeps, so that the key of their period can go.
"""

import base64
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from sealgate.authority.reader import Opener
from sealgate.authority.state import unix_ms
from sealgate.encoding import sealed_body, statement
from sealgate.model.records import Kind
from sealgate.model.scopes import DEFAULT_TENANT, Scope
from sealgate.ports.archiving import Kept, Label
from sealgate.ports.datakeys import DataKey, SealingDataKeys
from sealgate.ports.journal import JournalRecord
from sealgate.retention.classes import LEDGER, LEDGER_KINDS
from sealgate.retention.holds import Entry
from sealgate.retention.plan import Action, Verdict

LEDGER_SCOPE: Final = Scope(DEFAULT_TENANT, None, LEDGER).text
HOLD_TENANT: Final = "hold"
"""Scopes ``hold/-/<hold id>`` seal what a hold keeps."""

Entropy = Callable[[int], bytes]
_ERASED: Final = ""
"""The class of a record whose body could not be read any more when it was archived: it is kept."""


def hold_scope(hold_id: str) -> str:
    """Return the scope of a hold's own data key."""
    return Scope(HOLD_TENANT, None, hold_id).text


@dataclass(frozen=True, slots=True)
class Known:
    """What a body says that retention needs."""

    time_ms: int
    retention_class: str


def known_of(content: Mapping[str, Any]) -> Known:
    """Return it; records of the ledger's own kinds outlive whatever class they were given."""
    name = LEDGER if content["kind"] in LEDGER_KINDS else str(content["retention_class"])
    return Known(unix_ms(content["time"]), name)


def entry_of(label: Label, content: Mapping[str, Any] | None, *, statement_may_go: bool = True) -> Entry:
    """Return what retention knows of a record, with what a hold may name where its body is open."""
    has_statement = label.statement and statement_may_go
    if content is None:
        return Entry(label.index, label.time_ms, label.retention_class, label.key_id is not None, has_statement)
    records, subjects, tasks, agents = ({str(content["record_id"])}, set[str](), set[str](), set[str]())
    for part in _parts(content):
        agent = part.get("agent")
        agents |= {agent} if isinstance(agent, str) else {str(agent["id"])} if isinstance(agent, dict) else set()
        tasks |= {str(part["task_id"])} if part.get("task_id") else set()
        subjects |= set(part.get("subjects") or ())
        subjects |= {str(part["subject"])} if part.get("subject") else set()
        subjects |= set((part.get("data") or {}).get("subjects") or ())
        records |= {str(part["item_id"])} if part.get("item_id") else set()
        records |= {str(part["decision_id"])} if part.get("decision_id") else set()
    return Entry(
        label.index,
        label.time_ms,
        label.retention_class,
        label.key_id is not None,
        has_statement,
        frozenset(records),
        frozenset(subjects),
        frozenset(tasks),
        frozenset(agents),
    )


def _parts(content: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Yield a body, and the items of a batch."""
    yield content
    if content["kind"] == Kind.RECORDS_CAPTURED:
        for text in content["items"]:
            item = orjson.loads(text)
            if isinstance(item, dict):
                yield item


def at_once() -> None:
    """Wait for nothing: somebody waits for the work."""


class Packer:
    """Says what remains (``ports.archiving.Packer``); without verdicts everything: the segment is only archived."""

    def __init__(
        self,
        opener: Opener,
        data_keys: SealingDataKeys,
        entropy: Entropy,
        *,
        labels: Mapping[int, Label] | None = None,
        verdicts: Mapping[int, Verdict] | None = None,
    ) -> None:
        self._opener = opener
        self._data_keys = data_keys
        self._entropy = entropy
        self._labels = labels or {}
        self._verdicts = verdicts or {}
        self._ledger_keys: set[bytes] | None = None
        self.pace: Callable[[], None] = at_once
        """Called once for each record that is packed; may wait."""

    def touches(self, start: int, stop: int) -> bool:
        """Tell whether a verdict names one of these records."""
        return bool(self._verdicts) and any(index in self._verdicts for index in range(start, stop))

    def nonce(self) -> bytes:
        """Return a fresh nonce."""
        return self._entropy(sealed_body.NONCE_BYTES)

    def keep(self, index: int, record: JournalRecord) -> Kept:
        """Return what remains of a record."""
        self.pace()
        verdict = self._verdicts.get(index)
        label = self._labels.get(index)
        if verdict is not None and label is not None and verdict.action in {Action.DROP_BODY, Action.DROP_STATEMENT}:
            left = b"" if verdict.action is Action.DROP_STATEMENT else record.statement
            return Kept(left, label.time_ms, label.retention_class)
        opened = self._opener.open(index, record)
        if opened.body is None:
            return self._closed(record, label)
        known = _known(label, opened.content())
        key = self._key(record, known)
        if key is None:  # destroyed since it was opened: an erasure, which must not be undone here
            return Kept(record.statement, known.time_ms, known.retention_class)
        if verdict is not None and verdict.action is Action.HOLD and verdict.hold is not None:
            key = self._data_keys.current(hold_scope(verdict.hold.hold_id), known.time_ms)
        return Kept(record.statement, known.time_ms, known.retention_class, opened.body, key)

    def _closed(self, record: JournalRecord, label: Label | None) -> Kept:
        """Keep what cannot be read: its key was erased, or the key store was set back and will know it again."""
        if label is not None:
            return Kept(record.statement, label.time_ms, label.retention_class)
        iat = statement.parse(record.statement).claims.iat * 1000 if record.statement else 0
        single = record.sealed_body if record.group is None else b""
        return Kept(record.statement, iat, _ERASED, sealed=single)

    def _key(self, record: JournalRecord, known: Known) -> DataKey | None:
        key_id = sealed_body.key_id_of(record.sealed_body)
        if known.retention_class == LEDGER:
            if self._ledger_keys is None:
                self._ledger_keys = {fact.key_id for fact in self._data_keys.facts(LEDGER_SCOPE)}
            if key_id not in self._ledger_keys:
                key = self._data_keys.current(LEDGER_SCOPE, known.time_ms)
                self._ledger_keys.add(key.key_id)
                return key
        return self._data_keys.find(key_id)


def _known(label: Label | None, content: Mapping[str, Any] | None) -> Known:
    if label is not None and label.retention_class != _ERASED:
        return Known(label.time_ms, label.retention_class)
    return known_of(content or {})


def encode_indexes(indexes: Collection[int], start: int) -> str:
    """Return ascending indexes as text: base64url of the deflated bitmap that begins at ``start``."""
    bits = bytearray((max(indexes) - start) // 8 + 1)
    for index in indexes:
        bits[(index - start) // 8] |= 1 << (index - start) % 8
    return base64.urlsafe_b64encode(zlib.compress(bytes(bits), 9)).rstrip(b"=").decode()
