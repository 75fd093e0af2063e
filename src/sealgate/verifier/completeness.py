"""Is anything missing? Sequence numbers without holes in each epoch, a statement for every index; or an excuse.

An excuse is a record of the authority: ``capture.gap`` (``gap_epoch``, ``seq_from`` to ``seq_to``, both included) for
sequence numbers that never came, ``retention.expired`` with ``layer`` ``statement`` (``from_index`` up to and without
``to_index``, of these the ones that its bitmap ``indexes`` names) for statements that were deleted in time. Excuses
come later in the log than what they excuse, so holes are kept until the end.
"""

import base64
import zlib
from typing import Any, Final

from ..model.errors import AlteredError, GapError

GAP_KINDS: Final = frozenset({"capture.gap", "retention.expired"})
_MAX_HOLES: Final = 10_000
"""Open holes kept in memory; a log with more is reported as it stands."""

_MAX_BITMAP_BYTES: Final = 8192
"""An expiry record names at most 65,536 indexes."""

_Range = tuple[int, int]
_Hole = tuple[int, int, int]
"""First, end (excluded), and the index where the hole was noticed."""


class Completeness:
    """What is missing so far. Memory grows with epochs and holes, not with records."""

    def __init__(self, start: int = 0) -> None:
        self._from_start = start == 0
        self._next: dict[str, int] = {}
        self._holes: dict[str, list[_Hole]] = {}
        self._missing: list[_Hole] = []
        self._unseen = 0  # missing statements whose sequence numbers are not accounted for yet
        self._excused: list[tuple[str, int, int]] = []

    def see(self, epoch: bytes, seq: int, index: int) -> None:
        """Take the next statement's epoch and sequence number.

        Raises:
            AlteredError: the number was already used or comes too late: records were reordered or repeated.
            GapError: more holes than can be kept.
        """
        name = epoch.hex()
        expected = self._next.get(name)
        if expected is None:
            expected = 0 if self._from_start else seq
        if seq < expected:
            raise AlteredError(f"record {index} has sequence number {seq} where {expected} was due", index=index)
        if seq > expected:
            self._open(name, expected, seq, index)
        self._next[name] = seq + 1

    def _open(self, name: str, first: int, end: int, index: int) -> None:
        explained = min(self._unseen, end - first)
        self._unseen -= explained
        if explained == end - first:
            return
        holes = self._holes.setdefault(name, [])
        holes.append((first, end, index))
        if len(holes) > _MAX_HOLES:
            raise GapError(f"more than {_MAX_HOLES} holes in the sequence before index {index}")

    def miss(self, index: int) -> None:
        """Note that the statement at ``index`` is not there."""
        self._unseen += 1
        if self._missing and self._missing[-1][1] == index:
            first, _, noticed = self._missing[-1]
            self._missing[-1] = (first, index + 1, noticed)
        elif len(self._missing) < _MAX_HOLES:
            self._missing.append((index, index + 1, index))
        else:
            raise GapError(f"more than {_MAX_HOLES} ranges of statements are missing before index {index}")

    def excuse(self, record: dict[str, Any]) -> None:
        """Take a gap or expiry record of the authority into account."""
        if record["kind"] == "capture.gap":
            name, first, last = record.get("gap_epoch"), record.get("seq_from"), record.get("seq_to")
            if isinstance(name, str) and isinstance(first, int) and isinstance(last, int):
                self._excused.append((name, first, last + 1))
        elif record.get("layer") in {"L1", "statement"}:
            self._excused += [("", first, end) for first, end in expired_ranges(record)]

    def first_unexcused(self) -> tuple[int, str] | None:
        """Return (index, what is missing) of the first hole that nothing excuses, or None."""
        found = [self._first_of(name, holes) for name, holes in (("", self._missing), *self._holes.items())]
        return min((item for item in found if item is not None), default=None)

    def _first_of(self, name: str, holes: list[_Hole]) -> tuple[int, str] | None:
        excuses = sorted((first, end) for epoch, first, end in self._excused if epoch == name)
        for hole in holes:
            rest = _uncovered(hole, excuses)
            if rest is not None:
                return hole[2] if name else rest, _describe(name, rest, hole[1])
        return None

    @property
    def missing_statements(self) -> int:
        """How many statements are not there."""
        return sum(end - first for first, end, _ in self._missing)

    def export(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {
            "from_start": self._from_start,
            "next": self._next,
            "holes": self._holes,
            "missing": self._missing,
            "unseen": self._unseen,
            "excused": self._excused,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from what ``export`` gave."""
        self._from_start = saved["from_start"]
        self._next = dict(saved["next"])
        self._holes = {name: [(a, b, c) for a, b, c in holes] for name, holes in saved["holes"].items()}
        self._missing = [(a, b, c) for a, b, c in saved["missing"]]
        self._unseen = saved["unseen"]
        self._excused = [(a, b, c) for a, b, c in saved["excused"]]


def expired_ranges(record: dict[str, Any]) -> list[_Range]:
    """Return the ranges of indexes that an expiry record names; none where it is malformed."""
    first, end, text = record.get("from_index"), record.get("to_index"), record.get("indexes")
    if not isinstance(first, int) or not isinstance(end, int):
        return []
    if text is None:
        return [(first, end)]
    try:
        packed = base64.urlsafe_b64decode(str(text) + "=" * (-len(str(text)) % 4))
        bits = zlib.decompressobj().decompress(packed, _MAX_BITMAP_BYTES)
    except (ValueError, zlib.error):
        return []
    found: list[_Range] = []
    at = -1
    for place in range(len(bits) * 8 + 1):
        there = place < len(bits) * 8 and bits[place >> 3] >> (place & 7) & 1 and first + place < end
        if there and at < 0:
            at = place
        elif not there and at >= 0:
            found.append((first + at, first + place))
            at = -1
    return found


def _uncovered(hole: _Hole, excuses: list[tuple[int, int]]) -> int | None:
    """Return the first number of the hole that no excuse covers."""
    at, end, _ = hole
    for first, stop in excuses:
        if first <= at < stop:
            at = stop
    return at if at < end else None


def _describe(epoch: str, first: int, end: int) -> str:
    if epoch:
        return f"sequence numbers {first} to {end - 1} of epoch {epoch[:8]}… are missing without a gap record"
    return f"statements {first} to {end - 1} are missing without an expiry record"
