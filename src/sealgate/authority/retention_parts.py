"""What retention works on, and what it is told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from sealgate.authority.archiving import Entropy
from sealgate.authority.reader import Reader
from sealgate.authority.recorder import Recorder
from sealgate.authority.state import Memory
from sealgate.ports.archiving import Archiver, ArchivingJournal
from sealgate.ports.datakeys import DataKeys
from sealgate.ports.journal import Journal
from sealgate.retention.classes import Classes


class RetainedJournal(Journal, ArchivingJournal, Protocol):
    """A journal that can be archived."""

    def roll(self, done: Callable[[Exception | None], None]) -> None:
        """Close the segment that is appended to; call on the appending thread. ``done`` runs on any thread."""


class Bundles(Protocol):
    """The public statement bundles, which follow the journal."""

    def settle(self, stop: int, absent: set[int], statements: Callable[[int, int], list[bytes]]) -> int:
        """Make full bundles up to record ``stop`` small; those in ``absent`` lack what expired. Return how many."""

    def prune(self, minimum: int) -> int:
        """Remove entries and lowest tiles of all before ``minimum``; return the minimum from now on."""

    def minimum(self) -> int:
        """Return the first index that is still served."""

    def published(self) -> int:
        """Return how many records are under the published checkpoint."""


class RunStore(Protocol):
    """Keeps the note of a run. Durable and atomic."""

    def load_run(self) -> bytes | None:
        """Return the note, or None."""

    def store_run(self, note: bytes | None) -> None:
        """Replace the note; None removes it."""


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run under way: its id, its moment, the journal's size then."""

    run_id: str
    now_ms: int
    size: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What is kept how long; whether closed segments are archived by themselves, and shards pruned."""

    classes: Classes
    compact: bool = True
    prune: bool = False
    interval_s: int = 0


@dataclass(slots=True)
class Progress:
    """How far the run is; read by anyone."""

    step: str = "idle"
    segments_done: int = 0
    segments: int = 0


@dataclass(slots=True)
class Parts:
    """What retention works on."""

    memory: Memory
    journal: RetainedJournal
    reader: Reader
    recorder: Recorder
    data_keys: DataKeys
    bundles: Bundles
    notes: RunStore
    settings: Settings
    entropy: Entropy
    archiver: Archiver | None = None
    progress: Progress = field(default_factory=Progress)
