"""Makes an item of a draft and has it durable before returning; shipping goes on behind.

The order matters: digests, then redaction, then the disk. What the redactor removes was never written.
"""

import asyncio
import os
import time
from datetime import UTC, datetime
from typing import Any, Final

from sealgate.encoding import canonical, contents
from sealgate.model.errors import EncodingError, InputError
from sealgate.model.identifiers import uuid7
from sealgate.model.limits import MAX_ITEM_BYTES
from sealgate.sdk.answers import Recorded
from sealgate.sdk.drafts import Draft, Raw
from sealgate.sdk.itemspool import ItemSpool
from sealgate.sdk.redaction import Item, Redactor, drop_values
from sealgate.sdk.settings import Settings
from sealgate.sdk.shipper import Shipper

MAX_DIGESTED_BYTES: Final = 64 * 1024 * 1024
"""A value whose canonical form is larger is recorded without a digest."""

_MAX_BYTES: Final = MAX_ITEM_BYTES - 4096
"""An item as it is sent, in bytes: the collector adds members that are null here, and what the site knows."""

MAX_KEPT_BYTES: Final = 16 * 1024
"""A value larger than this cannot be kept in an item, whatever the field policy says."""


class Recorder:
    """Records items of one client. Safe to use from many threads.

    Args:
        settings: of the client.
        spool: where items are made durable.
        shipper: what sends them.
        redact: decides what may be stored.
    """

    def __init__(self, settings: Settings, spool: ItemSpool, shipper: Shipper, redact: Redactor) -> None:
        self.spool = spool
        self.shipper = shipper
        self._redact = redact
        self._fixed: Item = {"coverage": "captured", "source": "sdk"}
        if settings.region:
            self._fixed["region"] = settings.region
        if settings.environment:
            self._fixed["environment"] = settings.environment
        self._agent = settings.agent

    def capture(self, draft: Draft) -> Recorded:
        """Record one item; durable on this machine when this returns.

        Raises:
            InputError: it has no JSON form, or is too large.
            SpoolFull: too much waits for the collector.
            SpoolUnusable: it could not be made durable.
        """
        item = self._redact(self._item(draft))

        def make(epoch: str, seq: int) -> bytes:
            item["producer"] = {"epoch": epoch, "seq": seq}
            return _encode(item)

        self.spool.append(make)
        self.shipper.notify()
        return Recorded(None, None, item["item_id"])

    async def capture_async(self, draft: Draft) -> Recorded:
        """Record one item without holding up the event loop. A cancelled call is recorded all the same."""
        return await asyncio.shield(asyncio.to_thread(self.capture, draft))

    def _item(self, draft: Draft) -> Item:
        span, now_ms = draft.span, time.time_ns() // 1_000_000
        salt = os.urandom(contents.ITEM_SALT_BYTES)
        digests = _Digests(salt)
        members = {
            "item_id": uuid7(now_ms, os.urandom(10)),
            "kind": draft.kind,
            "time": datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds")[:23] + "Z",
            "agent": span.agent or self._agent,
            "session_id": span.session_id,
            "task_id": span.task_id,
            "trace_id": span.trace_id,
            "span_id": span.span_id,
            "parent_span_id": span.parent_id,
            "status": draft.status,
            "duration_ms": draft.duration_ms,
            "classification": draft.classification,
            "attributes": digests.resolve(draft.attributes),
            **self._fixed,
        }
        if digests.used:
            members["salt"] = contents.salt_text(salt)
        return {name: value for name, value in members.items() if value is not None}


class _Digests:
    """Replaces raw values by their digests under one salt."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        self.used = False

    def resolve(self, value: Any) -> Any:
        """Return ``value`` with every ``Raw`` in it digested."""
        if isinstance(value, Raw):
            return self._content(value.value)
        if isinstance(value, dict):
            return {name: self.resolve(entry) for name, entry in value.items()}
        if isinstance(value, list):
            return [self.resolve(entry) for entry in value]
        return value

    def _content(self, value: Any) -> Item:
        try:
            data, media_type = contents.octets(value, max_bytes=MAX_DIGESTED_BYTES)
        except (EncodingError, TypeError, ValueError, RecursionError):
            # No exact form: said so, rather than the digest of some text that happens to describe it.
            return {"digest": None, "media_type": f"python/{type(value).__qualname__}"[:250]}
        self.used = True
        content: Item = {"digest": contents.digest(self._salt, data), "size_bytes": len(data), "media_type": media_type}
        keepable = len(data) <= MAX_KEPT_BYTES and not isinstance(value, bytes)
        return {**content, "value": value if keepable else None}


def _encode(item: Item) -> bytes:
    try:
        return canonical.encode_arguments(item, max_bytes=_MAX_BYTES)
    except EncodingError as error:
        try:
            return canonical.encode_arguments(drop_values(item), max_bytes=_MAX_BYTES)
        except EncodingError:
            raise InputError(f"this cannot be recorded: {error.message}", hint=error.hint) from error
