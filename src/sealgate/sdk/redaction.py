"""What may leave the agent's process is decided here, before anything is written: even the spool never sees the rest.

By default no raw input or output is kept, only digest and size. Redaction works on the record of a call and never on
the call: what a tool executes is what the agent gave it.
"""

from collections.abc import Callable
from typing import Any, Final

Item = dict[str, Any]

Redactor = Callable[[Item], Item]
"""item with raw values → item as it may be stored. It may change its argument. If it raises, nothing is recorded."""

_CONTENT: Final = "digest"


def drop_values(item: Item) -> Item:
    """Remove every raw value; digests and sizes stay."""
    _drop(item["attributes"])
    return item


def _drop(value: Any) -> None:
    if isinstance(value, list):
        for entry in value:
            _drop(entry)
    elif isinstance(value, dict):
        if _CONTENT in value:
            value.pop("value", None)
            return
        for entry in value.values():
            _drop(entry)
