"""A batch of items as it is sent, and what the collector answers to it. Pure: bytes in, bytes or facts out.

``POST /v1/records/batch`` ``{"batch_id", "items": [...]}`` → 200 ``{"batch_id", "accepted", "rejected": [...]}``. Only
an answer that accounts for every item of this batch is an acknowledgement; anything else counts as no answer.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from sealgate.model.identifiers import uuid7
from sealgate.model.limits import MAX_BATCH_BODY_BYTES, MAX_BATCH_ITEMS
from sealgate.sdk.answers import Answer, read_object
from sealgate.sdk.errors import UnreadableAnswer
from sealgate.sdk.transport import Call

PATH: Final = "/v1/records/batch"
_FRAME: Final = b'{"batch_id":"%s","items":[%s]}'
_ROOM_FOR_FRAME_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """Items of one epoch, in order. ``items`` are (sequence number, text)."""

    epoch: bytes
    items: tuple[tuple[int, bytes], ...]

    @property
    def first(self) -> int:
        """The first sequence number."""
        return self.items[0][0]

    @property
    def last(self) -> int:
        """The last sequence number."""
        return self.items[-1][0]

    @property
    def id(self) -> str:
        """The batch's id: the same for the same epoch, first and last item, whoever sends it and whenever."""
        span = self.first.to_bytes(8, "big") + self.last.to_bytes(8, "big")
        digest = hashlib.sha256(b"sealgate batch\0" + self.epoch + span).digest()
        return uuid7(int.from_bytes(digest[:6], "big"), digest[6:16])

    def call(self) -> Call:
        """Return the request. Repeatable: the same id counts once."""
        body = _FRAME % (self.id.encode(), b",".join(text for _, text in self.items))
        return Call("POST", PATH, body, self.id, repeatable=True)

    def half(self) -> "Batch":
        """Return the first half of the batch, to find out which item makes the collector refuse all."""
        return Batch(self.epoch, self.items[: len(self.items) // 2])


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item that the collector will never take, and why."""

    position: int
    code: str
    reason: str


def fits(count: int, size: int) -> bool:
    """Tell whether this many items of this many bytes may be one batch."""
    return count <= MAX_BATCH_ITEMS and size + count + _ROOM_FOR_FRAME_BYTES <= MAX_BATCH_BODY_BYTES


def read_acknowledgement(answer: Answer, batch: Batch) -> list[Rejected]:
    """Return the items that were refused for good; all others are recorded.

    Raises:
        RequestRefused, AuthorityUnreachable: as ``answers.read_object``.
        UnreadableAnswer: the answer does not account for every item of this batch.
    """
    members = read_object(answer)
    rejected = members.get("rejected")
    if members.get("batch_id") != batch.id or not isinstance(rejected, list):
        raise UnreadableAnswer("the answer is not about this batch")
    found = [_rejected(entry, len(batch.items)) for entry in rejected]
    if members.get("accepted") != len(batch.items) - len(found) or len({r.position for r in found}) != len(found):
        raise UnreadableAnswer("the answer does not account for every item")
    return found


def _rejected(entry: Any, count: int) -> Rejected:
    members = entry if isinstance(entry, dict) else {}
    position, code, reason = members.get("position"), members.get("code"), members.get("reason")
    if type(position) is not int or not 0 <= position < count or not isinstance(code, str):
        raise UnreadableAnswer("the answer rejects an item that is not there")
    return Rejected(position, code[:80], reason[:500] if isinstance(reason, str) else "")
