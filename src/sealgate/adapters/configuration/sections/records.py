"""What every record says, what of it is kept, and for how long."""

# ruff: noqa: RUF009  # the calls in class bodies make dataclass fields, which are no shared state

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealgate.adapters.configuration.profiles import NAMES as PROFILES
from sealgate.adapters.configuration.setting import optional, required


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What every record says about where it was made."""

    region: str = optional("", "The region, as you name it.")
    environment: str = optional("production", "The environment, as you name it.")
    retention_class: str = optional("default", "The retention class of new records; bodies of a class share data keys.")
    regime: str = optional("", "The regime that governs this installation's records, e.g. `pci`; empty: none.")
    clock_tolerance_ms: int = optional(
        2000,
        "How far the clock may be behind the newest record; further is SILENCE `clock`.",
        "milliseconds",
        least=0,
        most=60_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """What becomes of personal data and secrets in records. Without a policy the smallest amount is kept."""

    policy: Path = optional(
        Path(),
        "The field policy, TOML (see the page on it), e.g. `privacy.toml`; empty: the built-in, which is minimal.",
    )
    hash_key: str = optional(
        "",
        "Where the key for keyed hashes is (at least 32 bytes): `file:`, `credential:`, `command:`; empty: no hashes.",
    )


_YES_NO: Final = ("yes", "no")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is deleted when. Without profiles and classes nothing expires."""

    profiles: tuple[str, ...] = optional(
        (), "Ready-made classes to take over: " + ", ".join(f"`{name}`" for name in PROFILES) + ".", choices=PROFILES
    )
    run_at_interval_s: int = optional(
        0, "How often what is due is deleted; 0: only when asked for.", "seconds", least=0, most=31_536_000
    )
    compact: str = optional("yes", "Whether closed journal segments are archived by themselves.", choices=_YES_NO)
    archivers: int = optional(
        1,
        "Processes that archive full segments, given the data keys that these need; 0: the authority does it alone, "
        "as on one processor.",
        "processes",
        least=0,
        most=1,
    )
    prune: str = optional(
        "no", "Whether entries and tiles before the oldest statement are pruned too.", choices=_YES_NO
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionClassEntry:
    """One retention class; repeat `[[retention_class]]`. Every condition that is set must hold; `*` is a wildcard.

    All classes that govern a record count together: the longest minimum, the shortest maximum. The one named like
    `records.retention_class` governs what no other does.
    """

    name: str = required("The class's name, as records carry it; without `+`.")
    data: tuple[str, ...] = optional((), "Data classifications it governs.")
    regimes: tuple[str, ...] = optional((), "Regimes it governs, as `records.regime` names them.")
    jurisdictions: tuple[str, ...] = optional((), "Jurisdictions it governs, as `records.region` names them.")
    kinds: tuple[str, ...] = optional((), "Kinds of records it governs.")
    agents: tuple[str, ...] = optional((), "Agents it governs.")
    tools: tuple[str, ...] = optional((), "Tools it governs.")
    minimum_days: int = optional(0, "Evidence must last so long.", "days", least=0, most=36_525)
    maximum_days: int | None = optional(
        None, "Bodies are gone after this; absent: nothing has to go.", least=1, most=36_525
    )
    receipt_days: int | None = optional(
        None, "Statements are not needed longer than this; absent: they stay.", least=1, most=36_525
    )
