"""Bar 8: vectors that nobody here made. Each is accepted or refused as its maker marked it, or named as not ours."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench import harness, vectors_crypto, vectors_json, vectors_trees
from bench.harness import Options, Result


@dataclass(slots=True)
class Tally:
    """What one corpus gave: how many agreed, which did not, and which concern formats that we do not have."""

    agreed: int = 0
    disagreed: list[str] = field(default_factory=list)
    not_applicable: Counter[str] = field(default_factory=Counter)

    def note(self, name: str, *, expected: Any, got: Any) -> None:
        """Count one vector."""
        if expected == got:
            self.agreed += 1
        else:
            self.disagreed.append(f"{name}: expected {expected!r}, got {got!r}"[:300])


Suite = Callable[[Path, Any], None]

SUITES: Final[dict[str, Suite]] = {**vectors_trees.SUITES, **vectors_json.SUITES, **vectors_crypto.SUITES}
"""Name → function that reads the data folder and counts into a tally."""


def tally(name: str, folder: Path) -> Tally:
    """Run one suite."""
    result = Tally()
    SUITES[name](folder, result)
    return result


def run(options: Options) -> Result:
    """Run all suites; the bar is no disagreement at all."""
    del options
    folder = harness.data_folder()
    if folder is None:
        return Result("vectors", {}, 0, "no data folder", ["the real vectors are missing (set SEALGATE_DATA)"])
    started = time.perf_counter()
    figures: dict[str, Any] = {}
    missed: list[str] = []
    agreed, excluded = 0, Counter[str]()
    for name in SUITES:
        result = tally(name, folder)
        figures[name] = f"{result.agreed}/{result.agreed + len(result.disagreed)}"
        agreed += result.agreed
        excluded += Counter({f"{name}: {why}": count for why, count in result.not_applicable.items()})
        missed += [f"{name}: {line}" for line in result.disagreed]
    figures |= {
        "agreed": agreed,
        "disagreed": len(missed),
        "not_applicable": dict(excluded),
        "seconds": round(time.perf_counter() - started, 2),
    }
    return Result("vectors", figures, 1, f"vectors in {folder.name}/", missed)
