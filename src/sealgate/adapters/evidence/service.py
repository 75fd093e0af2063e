"""Puts the evidence service together: follower, reading keys, store, questions. No signing key is opened."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealgate.adapters.durable import sync_directory
from sealgate.adapters.evidence.export import FileExporter
from sealgate.adapters.evidence.proving import PublishedProofs
from sealgate.adapters.evidence.store import DuckStore
from sealgate.adapters.journals.following import FollowingJournal
from sealgate.adapters.keys.reading_keys import ReadingKeys
from sealgate.adapters.stores.directory import DirectoryLog
from sealgate.evidence import rebuilding
from sealgate.evidence.consumer import Consumer
from sealgate.evidence.queries import Queries
from sealgate.evidence.rebuilding import Rebuilt
from sealgate.evidence.records import Records
from sealgate.model.errors import ConfigurationError
from sealgate.ports.wrapping import WrappingKey
from sealgate.proofs import trust

STORE: Final = "store"
"""The store's folder inside the evidence folder."""

_FRESH: Final = "store.rebuilt"
_OLD: Final = "store.replaced"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the service reads and keeps: ``evidence`` is its own folder, all else belongs to the authority."""

    journal: Path
    log: Path
    data_keys: Path
    trust: Path
    evidence: Path


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the store may use."""

    memory_mb: int = 1024
    threads: int = 2
    segment_rows: int = 1_000_000
    query_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class EvidenceService:
    """One open evidence service. Run ``consumer.run`` on a thread of its own; ``queries`` answers from any thread."""

    store: DuckStore
    consumer: Consumer
    queries: Queries
    records: Records

    def close(self) -> None:
        """Close the store. Idempotent."""
        self.store.close()


def open_service(
    places: Places, wrapping: WrappingKey, bounds: Bounds | None = None, *, folder: str = STORE
) -> EvidenceService:
    """Open the service; makes an empty store where there is none.

    Raises:
        ConfigurationError: a file is missing or malformed, or another process owns the store.
        AlteredError, UnavailableError: the store does not open with this key-encryption key.
    """
    bounds = bounds or Bounds()
    _finish_swap(places.evidence)
    try:
        trusted_bytes = places.trust.read_bytes()
    except OSError as error:
        hint = "restore it from a copy: it names public keys only"
        raise ConfigurationError(f"`{places.trust}` cannot be read: {error.strerror}", hint=hint) from error
    trusted = trust.parse(trusted_bytes)
    public = DirectoryLog(places.log)
    keys = ReadingKeys(places.data_keys, wrapping)
    records = Records(FollowingJournal(places.journal, public, trusted.log), keys, trusted.origin)
    store = DuckStore(
        places.evidence / folder,
        wrapping,
        memory_mb=bounds.memory_mb,
        threads=bounds.threads,
        segment_rows=bounds.segment_rows,
        query_timeout_s=bounds.query_timeout_s,
    )
    consumer = Consumer(records, keys, store)
    proof = PublishedProofs(public, trusted.log)
    exporter = FileExporter(store, records, proof, public, trusted_bytes)
    return EvidenceService(
        store, consumer, Queries(store, proof=proof, exporter=exporter, status=consumer.status), records
    )


def rebuild(
    places: Places,
    wrapping: WrappingKey,
    bounds: Bounds | None = None,
    *,
    swap: bool = True,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Rebuilt:
    """Build a second store from the journal, compare it with the first and put it in its place. The service is stopped.

    Without ``swap`` the second store is removed again. A crash leaves the old store or the new one, whole.

    Raises:
        ConfigurationError: the service runs: it owns the store.
    """
    shutil.rmtree(places.evidence / _FRESH, ignore_errors=True)
    with _opened(places, wrapping, bounds, STORE) as live, _opened(places, wrapping, bounds, _FRESH) as fresh:
        while live.store.next_index < live.records.published():
            live.consumer.step()
        done = rebuilding.rebuild(fresh.consumer, fresh.store, live.store, progress)
    if swap:
        _swap(places.evidence)
    else:
        shutil.rmtree(places.evidence / _FRESH)
    return done


@contextlib.contextmanager
def _opened(places: Places, wrapping: WrappingKey, bounds: Bounds | None, folder: str) -> Iterator[EvidenceService]:
    service = open_service(places, wrapping, bounds, folder=folder)
    try:
        yield service
    finally:
        service.close()


def _swap(folder: Path) -> None:
    """Put the fresh store in the place of the old one."""
    os.rename(folder / STORE, folder / _OLD)  # noqa: PTH104  # the system call is the point here
    # If we die here there is no store under its name; the next start finishes what was begun.
    os.rename(folder / _FRESH, folder / STORE)  # noqa: PTH104
    sync_directory(folder)
    shutil.rmtree(folder / _OLD)


def _finish_swap(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / _OLD).exists():
        if not (folder / STORE).exists():
            os.rename(folder / _FRESH, folder / STORE)  # noqa: PTH104
            sync_directory(folder)
        shutil.rmtree(folder / _OLD)
