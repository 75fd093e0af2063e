"""Search: pages of rows, newest first, with a cursor that stays right while rows are added and erased."""

import base64
import hashlib
import struct
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from sealgate.evidence import filters, reading
from sealgate.evidence.answers import Filter, Page
from sealgate.evidence.reading import Key, Proof
from sealgate.model.errors import InputError
from sealgate.ports.evidence import EvidenceStore, Part, Session

MAX_LIMIT: Final = 1000
DEFAULT_LIMIT: Final = 50
_CURSOR: Final = struct.Struct(">B8sQI")
_VERSION: Final = 1
_PAGE_ROWS: Final = 10_000


def search(store: EvidenceStore, asked: Filter, proof: Proof, *, after: str | None, limit: int) -> Page:
    """Return one page.

    Raises:
        InputError: the filter or cursor is malformed, or the cursor is of another filter.
        UnavailableError: it took too long.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise InputError(f"limit {limit} is out of range", hint=f"ask for 1 to {MAX_LIMIT} rows a page")
    before = None if after is None else decode_cursor(after, asked)
    with store.session() as session:
        parts = filters.parts_within(session.parts, asked)
        keys = _keys(session, parts, asked, before, limit + 1)
        shown = keys[:limit]
        found = reading.wide_rows(session, parts, shown)
    rows = [reading.answer(found[key], proof) for key in shown if key in found]
    return Page(rows=rows, next=encode_cursor(shown[-1], asked) if len(keys) > limit else None)


def _keys(session: Session, parts: list[Part], asked: Filter, before: Key | None, limit: int) -> list[Key]:
    """Return the newest keys before ``before``: only the columns of the filter are read."""
    where, values = filters.condition(asked)
    chains = filters.chains(asked)
    ranges = reading.merged(session.ranges(chains)) if chains else None
    found: list[Key] = []
    for part in sorted(parts, key=lambda part: -(part.low or 0)):
        if before is not None and part.low is not None and part.low > before[0]:
            continue
        for low, high in reversed(ranges) if ranges is not None else [(part.low or 0, part.high or 0)]:
            first, last = max(low, part.low or 0), min(high, part.high or 0)
            if before is not None:
                last = min(last, before[0])
            if len(found) >= limit or first > last:
                continue
            sql = f"SELECT journal_index, position FROM {part.relation} WHERE journal_index BETWEEN ? AND ? AND {where}"
            bounds: list[Any] = [first, last, *values]
            if before is not None:
                sql += " AND (journal_index < ? OR position < ?)"
                bounds += before
            order = f" ORDER BY journal_index DESC, position DESC LIMIT {limit - len(found)}"
            found += [(index, position) for index, position in session.fetch(sql + order, bounds)]
    return found


def every_row(store: EvidenceStore, asked: Filter) -> Iterator[list[tuple[Any, ...]]]:
    """Yield all rows of a filter that are there now, oldest first, in lists; rows added meanwhile are left out.

    Between two lists nothing is held, so an erasure never waits for a long export; what it takes away is not exported.
    """
    where, values = filters.condition(asked)
    chains = filters.chains(asked)
    with store.session() as session:
        end = max((part.high for part in session.parts if part.high is not None), default=-1)
    after: Key = (-1, 0)
    while True:
        with store.session() as session:
            ranges = session.ranges(chains) if chains else [(0, end)]
            ranges = [(max(low, after[0]), min(high, end)) for low, high in ranges]
            bound = f"({where}) AND (journal_index > ? OR position > ?)"
            ranges = [pair for pair in ranges if pair[0] <= pair[1]]
            rows = reading.rows_where(session, ranges, bound, [*values, *after], _PAGE_ROWS)
        if not rows:
            return
        yield rows
        if len(rows) < _PAGE_ROWS:
            return
        after = rows[-1][0], rows[-1][1]


def encode_cursor(key: Key, asked: Filter) -> str:
    """Return the cursor of what follows ``key`` in the pages of a filter."""
    return base64.urlsafe_b64encode(_CURSOR.pack(_VERSION, _digest(asked), *key)).decode().rstrip("=")


def decode_cursor(text: str, asked: Filter) -> Key:
    """Return the key that a cursor continues after. Raises InputError where it is none of this filter."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        version, digest, index, position = _CURSOR.unpack(data)
    except (ValueError, struct.error):
        version, digest, index, position = 0, b"", 0, 0
    if version != _VERSION or index >= 1 << 62:
        raise InputError("the cursor is malformed", hint="send `next` of the page before, as it was")
    if digest != _digest(asked):
        raise InputError("the cursor is of another search", hint="repeat the same filter with it")
    return index, position


def _digest(asked: Filter) -> bytes:
    return hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).digest()[:8]
