"""What every benchmark shares: its options, its result, the machine's name."""

import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Options:
    """How to run: ``seconds`` bounds the measured part, ``full`` asks for the long version."""

    seconds: float = 20.0
    full: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured. ``figures`` keys name quantity and unit; ``missed`` names each bar not met."""

    name: str
    figures: dict[str, Any]
    runs: int
    measured_on: str
    missed: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the one JSON object that is printed last."""
        return {
            "bench": self.name,
            **self.figures,
            "runs": self.runs,
            "measured_on": self.measured_on,
            "machine": machine(),
            "bar_met": not self.missed,
            "missed": self.missed,
        }


def machine() -> str:
    """Return a line about this machine: processor count, kernel, Python."""
    return f"{os.cpu_count()} cpu, {platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}"


def data_folder() -> Path | None:
    """Return the folder of real data (``SEALGATE_DATA`` or ``../shared/data``), or None where it is missing."""
    named = os.environ.get("SEALGATE_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


def percentile(sorted_values: list[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of the sorted values lie."""
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]
