"""Tells whether the authority started with another configuration than the time before, and records that it did."""

import hashlib
from collections.abc import Mapping
from typing import Final

from sealgate.authority.drafts import Receipt
from sealgate.authority.recorder import Recorder
from sealgate.authority.state import Memory
from sealgate.encoding import canonical
from sealgate.model.records import Kind

_MAX_SETTINGS: Final = 400
_MOST_BYTES: Final = 20_000
"""What the settings of one record may take; past it entries are told together by their section."""


async def record_change(recorder: Recorder, memory: Memory, settings: Mapping[str, str]) -> Receipt | None:
    """Record what changed since the last start, if anything; names only, never a value.

    Raises:
        UnavailableError: it could not be recorded; the authority must not start with an unrecorded configuration.
    """
    if not settings:
        return None
    told = _digests(settings)
    digest = canonical.sha256("\n".join(told).encode()).hex()
    if digest == memory.configuration_sha256:
        return None
    before, now = (dict(entry.rsplit(":", 1) for entry in entries) for entries in (memory.settings, told))
    changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    draft = recorder.draft(Kind.CONFIGURATION_CHANGED)
    draft.fields = {
        "configuration_sha256": digest,
        "previous_sha256": memory.configuration_sha256,
        "changed": changed if memory.configuration_sha256 is not None else [],
        "settings": told,
    }
    receipt = await recorder.record(draft)
    memory.configuration_sha256, memory.settings = digest, told
    memory.cursor = max(memory.cursor, receipt.index + 1)
    return receipt


def _digests(settings: Mapping[str, str]) -> list[str]:
    """Return ``name:digest`` of every setting, or of every section where there are too many."""
    told = _listed(settings)
    if len(told) > _MAX_SETTINGS or sum(map(len, told)) > _MOST_BYTES:
        sections: dict[str, str] = {}
        for name, value in sorted(settings.items()):
            section = name.partition(".")[0]
            sections[section] = sections.get(section, "") + f"{name}={value}\n"
        told = _listed(sections)
    return told


def _listed(settings: Mapping[str, str]) -> list[str]:
    return [f"{name}:{hashlib.sha256(value.encode()).hexdigest()[:16]}" for name, value in sorted(settings.items())]
