"""``python -m sealgate.adapters.configuration.retention_reference``: the page of ready-made retention classes."""

import sys
from collections.abc import Iterator

from sealgate.adapters.configuration.profiles import PROFILES
from sealgate.retention.classes import LEDGER, LEDGER_KINDS, rule_of
from sealgate.retention.terms import combine

_INTRODUCTION = """\
# Retention classes

<!-- Made by `python -m sealgate.adapters.configuration.retention_reference`; a test compares. Change the data file. -->

Ready-made classes, taken over by name in `[retention] profiles`. They are starting points to agree with counsel, not
legal advice. How to use them: [retention and holds](../how-to/retention-and-holds.md).

| profile | governs | evidence at least | bodies go after | statements go after | source |
| --- | --- | --- | --- | --- | --- |
"""


def page() -> str:
    """Return the reference page, Markdown."""
    return "".join([_INTRODUCTION, *_rows(), *_ledger()])


def _rows() -> Iterator[str]:
    for name, profile in PROFILES.items():
        for entry in profile["classes"]:
            rule = rule_of(entry)
            conditions = {"data": rule.data, "regime": rule.regimes, "jurisdiction": rule.jurisdictions}
            governs = "; ".join(
                f"{key} {', '.join(f'`{value}`' for value in values)}" for key, values in conditions.items() if values
            )
            times = combine([rule.terms])
            cells = (
                _days(rule.terms.minimum or None, "-"),
                _days(times.body, "never"),
                _days(rule.terms.receipt, "never"),
            )
            yield f"| `{name}` | {governs or 'all else'} | {' | '.join(cells)} | {profile['source']} |\n"


def _days(days: int | None, without: str) -> str:
    return without if days is None else f"{days} days"


def _ledger() -> Iterator[str]:
    kinds = ", ".join(f"`{kind}`" for kind in sorted(LEDGER_KINDS))
    yield "\nStatements go only where bodies do: never before the body or the longest minimum.\n"
    yield f"\nClass `{LEDGER}` is built in and never expires: {kinds}.\n"


if __name__ == "__main__":
    sys.stdout.write(page())
