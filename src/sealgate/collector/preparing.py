"""From items as they came to groups that can be recorded: parse, validate, redact, enrich, route, group.

Each item is judged by itself: a bad one is refused with a reason and the others are kept. This is where the collector
spends its time, so it is one plain object that a worker process can have a copy of: bytes in, groups out.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec
import orjson

from sealgate.collector.routing import Routing
from sealgate.encoding import canonical
from sealgate.model import items as items_model
from sealgate.model.errors import EncodingError, InputError, SealgateError, UnavailableError
from sealgate.model.limits import MAX_BATCH_BODY_BYTES, MAX_BATCH_ITEMS, MAX_ITEM_BYTES
from sealgate.ports.collecting import Redactor

Source = Literal["sdk", "otlp"]
Raw = dict[str, Any] | bytes | msgspec.Raw
"""An item as it came: an object, JSON that is not checked yet, or JSON in which no key comes twice."""

COVERAGE: Final[dict[Source, Literal["captured", "observed"]]] = {"sdk": "captured", "otlp": "observed"}
"""What items of a source may claim. What nobody's gate has seen is never `enforced`."""

_GROUP_BYTES: Final = MAX_BATCH_BODY_BYTES * 7 // 8
"""Of one group's items: leaves room for the other members and for the quotes that a text in a text doubles."""


class Rejected(msgspec.Struct, frozen=True):
    """One item that was refused: where it stood, its id if it could be read, and why."""

    position: int
    item_id: str | None
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Enrichment:
    """What an item is given where it says nothing."""

    environment: str | None = None
    region: str | None = None
    deployment: tuple[tuple[str, str], ...] = ()
    """Members of ``deployment`` (version, cluster, …) that this site knows better than its senders."""


@dataclass(slots=True)
class Group:
    """Items that share one record: same authority, retention class, subject. ``agent`` is None for several agents."""

    authority: str
    retention_class: str
    subject: str | None
    agent: str | None
    items: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    size: int = 0

    @property
    def is_full(self) -> bool:
        """Tell whether another item might not fit."""
        return len(self.items) >= MAX_BATCH_ITEMS or self.size > _GROUP_BYTES

    def fits(self, more: int, size: int) -> bool:
        """Tell whether so many more items of this size fit."""
        return len(self.items) + more <= MAX_BATCH_ITEMS and self.size + size <= _GROUP_BYTES

    def digest(self) -> str:
        """Return what tells this group from another of the same batch: a digest of the ids of its items."""
        return hashlib.sha256("".join(self.ids).encode()).hexdigest()[:16]


@dataclass(slots=True)
class Ready:
    """What became of a batch: groups to record, items refused."""

    groups: list[Group]
    rejected: list[Rejected]


class _BadItemError(Exception):
    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Preparation:
    """Makes items ready. Holds configuration only; a copy in each worker process."""

    def __init__(self, *, routing: Routing, enrichment: Enrichment, redactor: Redactor) -> None:
        self._routing = routing
        self._enrichment = enrichment
        self._redactor = redactor

    def prepare(self, items: Iterable[Raw], agents: frozenset[str], source: Source) -> Ready:
        """Return the groups of ``items``, in the order of arrival, and who was refused why."""
        groups: dict[tuple[str, str, str | None], Group] = {}
        full: list[Group] = []
        rejected: list[Rejected] = []
        for position, raw in enumerate(items):
            try:
                item, text, size = self._one(raw, agents, source)
                route = self._routing.find(item["region"], item["classification"])
                if route is None:
                    raise _BadItemError("unroutable", "no route takes its region and classification")  # noqa: TRY301
            except _BadItemError as bad:
                rejected.append(Rejected(position, _id_of(raw), bad.code, bad.reason))
                continue
            subjects = item["subjects"]
            key = (route.authority, route.retention_class, subjects[0] if len(subjects) == 1 else None)
            group = groups.get(key)
            if group is None or not group.fits(1, size):
                if group is not None:
                    full.append(group)
                group = groups[key] = Group(*key, item["agent"])
            if group.agent != item["agent"]:
                group.agent = None
            group.items.append(text)
            group.ids.append(item["item_id"])
            group.size += size
        return Ready([*full, *groups.values()], rejected)

    def _one(self, raw: Raw, agents: frozenset[str], source: Source) -> tuple[dict[str, Any], str, int]:
        """Return the item as it is kept, its canonical text, and the size of that in a body."""
        known = _read(raw)
        if known.agent not in agents and "*" not in agents:
            raise _BadItemError("subject-not-allowed", "the caller may not speak for its agent")
        if known.source != source or known.coverage != COVERAGE[source]:
            raise _BadItemError("wrong-source", f"what comes this way is `{source}` and `{COVERAGE[source]}`")
        try:
            kept = self._redactor.redact(items_model.as_object(known))
            self._enrich(kept)
            data = _canonical(kept)
        except EncodingError as error:
            raise _BadItemError("too-large" if "bytes" in error.message else "invalid", error.message) from error
        except UnavailableError:  # the vault, for one: not the item's fault, so the whole request is sent again
            raise
        except SealgateError as error:
            raise _BadItemError("not-redacted", error.message) from error
        return kept, data.decode(), len(data) + data.count(b'"') + data.count(b"\\") + 3

    def _enrich(self, item: dict[str, Any]) -> None:
        known = self._enrichment
        if item["environment"] is None:
            item["environment"] = known.environment
        if item["region"] is None:
            item["region"] = known.region
        if known.deployment:
            deployment = item["deployment"] or dict.fromkeys(items_model.Deployment.__struct_fields__)
            for name, value in known.deployment:
                if deployment[name] is None:
                    deployment[name] = value
            item["deployment"] = deployment


def split(body: bytes) -> tuple[str, list[Raw]]:
    """Return batch id and items of a native batch, the items still as they came.

    Raises:
        InputError: it is no batch at all. A single bad item is not told here.
    """
    try:
        parts = _decode_parts(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"not a batch: {error}"[:200], hint="see /openapi.json for its shape") from error
    if _is_strict(body):
        return parts.batch_id, list(parts.items)
    return parts.batch_id, [bytes(item) for item in parts.items]  # each is parsed strictly, to name the bad ones


def _is_strict(body: bytes) -> bool:
    """Tell whether no key comes twice: in compact JSON, as our client writes it, writing it again shows that."""
    try:
        return orjson.dumps(orjson.loads(body)) == body
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return False


class _Parts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    batch_id: str
    items: list[msgspec.Raw]


_decode_parts: Final = msgspec.json.Decoder(_Parts).decode


def _read(raw: Raw) -> items_model.Item:
    """Return the typed item of bytes that are still to be parsed strictly, of checked JSON, or of an object."""
    if not isinstance(raw, bytes | dict | msgspec.Raw):
        raise _BadItemError("invalid", "not an item: not an object")
    try:
        if isinstance(raw, bytes):
            canonical.parse(raw, max_bytes=2 * MAX_ITEM_BYTES)
        return items_model.read(raw)
    except EncodingError as error:
        raise _BadItemError("malformed", error.message) from error
    except InputError as error:
        raise _BadItemError("invalid", error.message) from error


def _canonical(item: dict[str, Any]) -> bytes:
    """Return the canonical bytes of an item. Only attributes hold names and numbers that the model does not fix."""
    encode = canonical.encode_own if canonical.is_plain(item["attributes"], depth=2) else canonical.encode_arguments
    return encode(item, max_bytes=MAX_ITEM_BYTES)


def _id_of(raw: Raw) -> str | None:
    """Return the id of a bad item, if it has one."""
    try:
        item: Any = orjson.loads(bytes(raw)) if isinstance(raw, bytes | msgspec.Raw) else raw
    except orjson.JSONDecodeError:
        return None
    found = item.get("item_id") if isinstance(item, dict) else None
    return found[:64] if isinstance(found, str) else None
