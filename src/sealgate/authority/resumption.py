"""What an authority finds again when it starts: its policy set, its newest record."""

import logging
from typing import Any

from sealgate.authority.parts import Parts
from sealgate.authority.reader import Reader
from sealgate.authority.rulebook import Rulebook
from sealgate.model.errors import AlteredError

_LOG = logging.getLogger(__name__)


def policy_set(parts: Parts, limits: dict[str, Any] | None) -> Rulebook | None:
    """Return the policy set in force with its limits charged, or None where none is published.

    Raises:
        AlteredError: it is not what was recorded.
    """
    version = parts.memory.policy_version
    if version is None:
        _LOG.warning("no policy set is published: every decision will be SILENCE (no_policy)")
        return None
    bundle = parts.storage.load_policy(version)
    if bundle is None:
        raise AlteredError(f"policy set `{version}` is missing", hint="restore it from where it was published")
    rulebook = Rulebook.load(bundle)
    if rulebook.version != version:
        raise AlteredError(f"policy set `{version}` was changed on disk", hint="restore the published files")
    if limits:  # a snapshot from before the first policy set has none; the journal has all charges since
        rulebook.load_limits(limits)
    for usage in parts.memory.usage:
        if usage.charges is None:
            rulebook.release(usage.record_id)
        else:
            rulebook.recharge(usage.record_id, usage.charges, usage.at_ms)
    parts.memory.usage.clear()
    return rulebook


def newest_id(reader: Reader) -> str | None:
    """Return the id of the newest record that has one, looking back a thousand."""
    for index in range(reader.size - 1, max(-1, reader.size - 1000), -1):
        record_id = reader.read(index).record_id()
        if record_id is not None:
            return record_id
    return None


def tell_progress(done: int, total: int) -> None:
    """Log how far the replay is."""
    if done:
        _LOG.info("replaying the journal: %d of %d records", done, total)
