"""What ``sealgate doctor`` reads of the published log, and what it says of those who endorse its checkpoints."""

import time
from collections.abc import Iterator
from typing import Final

from sealgate.adapters.configuration import Configuration
from sealgate.adapters.stores.directory import DirectoryLog
from sealgate.cli._finding import Finding
from sealgate.encoding import statement
from sealgate.ledger import endorsements, reading
from sealgate.model.errors import SealgateError
from sealgate.model.limits import TILE_WIDTH
from sealgate.ports.public_log import PublicLog
from sealgate.proofs import checkpoints

_GRACE_S: Final = 60.0
"""How much longer than configured an endorsement may take before the operator is told."""


def size_of(public: PublicLog, path: str = "checkpoint") -> int:
    """Return the size that a checkpoint names; 0 where there is none. Signatures are ``log fsck``'s to check."""
    note = public.read(path)
    return 0 if note is None else checkpoints.parse(note)[0].size


def time_of(public: PublicLog, index: int, size: int) -> int:
    """Return when the record at ``index`` of a log of ``size`` was made, in Unix seconds.

    Raises:
        NotProvenError: its bundle is not there any more.
    """
    bundle, slot = divmod(index, TILE_WIDTH)
    width = min(TILE_WIDTH, size - bundle * TILE_WIDTH)
    return statement.parse(reading.statements(public, bundle, width)[slot]).claims.iat


def clock(found: Configuration) -> Iterator[Finding]:
    """Compare the clock with the newest record."""
    public = DirectoryLog(found.data_directory / "log")
    size = size_of(public)
    if size == 0:
        yield Finding("clock", "ok", "no record is published yet")
        return
    behind_s = time_of(public, size - 1, size) - time.time()
    if behind_s * 1000 > found.records.clock_tolerance_ms:
        detail = f"the clock is {behind_s:.0f} s behind the newest record"
        yield Finding("clock", "failed", detail, "correct it; until then decisions are SILENCE")
    else:
        yield Finding("clock", "ok", f"the newest published record is {max(0.0, -behind_s):.0f} s old")


def endorsed(found: Configuration) -> Iterator[Finding]:
    """Tell how far behind those are who endorse: witnesses and the timestamp authority, where they are configured."""
    public = DirectoryLog(found.data_directory / "log")
    if found.witness and not found.ledger.witness_quorum:
        detail = f"{len(found.witness)} are asked, and no receipt ever says `witnessed`: `ledger.witness_quorum` is 0"
        yield Finding("witnesses", "warning", detail, "set how many of them make a receipt witnessed")
    elif found.witness:
        patience_s = found.ledger.checkpoint_interval_ms / 1000 + _GRACE_S
        yield _behind("witnesses", public, endorsements.WITNESSED, patience_s)
    if found.timestamps.url:
        yield _behind("timestamps", public, endorsements.TIMESTAMPED, found.timestamps.interval_s + _GRACE_S)


def _behind(check: str, public: PublicLog, path: str, patience_s: float) -> Finding:
    size, covered = size_of(public), size_of(public, path)
    if covered >= size:
        return Finding(check, "ok", f"all {size} published records are covered")
    try:
        age_s = time.time() - time_of(public, covered, size)
    except SealgateError:
        age_s = float("inf")  # so long ago that its bundle is pruned or its statement expired
    waiting = f"the newest {size - covered} records are not covered"
    since = f"{waiting}, the first of them made {age_s:.0f} s ago" if age_s < float("inf") else f"{waiting}, for long"
    if age_s <= patience_s:
        return Finding(check, "ok", since)
    return Finding(check, "warning", since, "the authority's log says who does not answer, and why")
