"""Where records are put in order, and what makes the order public."""

# ruff: noqa: RUF009  # the calls in class bodies make dataclass fields, which are no shared state

from dataclasses import dataclass
from pathlib import Path

from sealgate.adapters.configuration.setting import optional, required


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """The ordered, durable queue in the middle."""

    segment_bytes: int = optional(
        64 << 20, "A journal segment is closed at this size.", "bytes", least=1 << 20, most=1 << 34
    )
    queue_length: int = optional(8192, "Records that wait for the disk at once.", "records", least=1, most=1 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The public log."""

    checkpoint_interval_ms: int = optional(
        1000, "How often new records are put under a signed checkpoint.", "milliseconds", least=50, most=3_600_000
    )
    builders: int = optional(
        1,
        "Processes that hash new records and write the log's files once many come at a time; 0: the authority does it "
        "alone, as on one processor.",
        "processes",
        least=0,
        most=1,
    )
    witness_quorum: int = optional(0, "Cosignatures that make a receipt `witnessed`.", "witnesses", least=0, most=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessEntry:
    """One witness; repeat `[[witness]]`."""

    url: str = required("The witness's submission prefix; `add-checkpoint` is appended.")
    vkey: str = required("The witness's verifier key, as it publishes it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timestamps:
    """The RFC 3161 time-stamping authority."""

    url: str = optional("", "The authority's address; empty: no timestamps.")
    roots: Path = optional(Path(), "What its certificate must chain to, PEM.")
    interval_s: int = optional(3600, "How often a checkpoint is stamped.", "seconds", least=10, most=604_800)
