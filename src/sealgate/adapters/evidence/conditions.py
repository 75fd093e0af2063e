"""SQL conditions of rows that an erasure concerns."""

import re
from collections.abc import Sequence
from typing import Final

from sealgate.adapters.evidence.engine import quoted
from sealgate.ports.evidence import Erasure

_KEY_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


def of_keys(key_ids: Sequence[str]) -> str:
    """Return the condition of rows whose body was sealed under one of the keys (hex)."""
    named = ", ".join(f"CAST('{key}' AS UUID)" for key in key_ids if _KEY_ID.fullmatch(key))
    return f"coalesce(key_id IN ({named}), false)" if named else "false"


def of_others(erasure: Erasure) -> str:
    """Return the condition of rows that are concerned only if their body is gone."""
    parts = []
    if erasure.subject is not None:
        parts.append(f"coalesce(list_contains(subjects, {quoted(erasure.subject)}), false)")
    if erasure.indexes is None and erasure.from_index is not None and erasure.to_index is not None:
        within = f"journal_index BETWEEN {erasure.from_index} AND {erasure.to_index - 1}"
        if erasure.retention_class is not None:
            within += f" AND coalesce(retention_class = {quoted(erasure.retention_class)}, false)"
        parts.append(within)
    return " OR ".join(f"({part})" for part in parts) or "false"
