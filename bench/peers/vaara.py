"""Vaara from PyPI with its default SQLite trail, measured in its own process (AGPL: run, never imported)."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from bench.peers.installed import interpreter

VERSION: Final = "2.15.0"
_SCRIPT: Final = Path(__file__).with_name("vaara_trail.py")


class Vaara:
    """Runs blocks of decisions. ``threads`` is whichever of the tried numbers gave the best rate."""

    def __init__(self, python: Path, folder: Path) -> None:
        self._python, self._folder = python, folder
        tried = {threads: self.rate(threads, 1.0) for threads in (1, 2, 64)}
        self.threads = max(tried, key=lambda threads: tried[threads])
        self.tried = {f"{threads}_threads": round(rate) for threads, rate in tried.items()}

    @classmethod
    def install(cls, folder: Path) -> "Vaara | None":
        """Return a ready peer that writes below ``folder`` (the disk that we are measured on), or None."""
        python = interpreter("vaara", VERSION)
        return cls(python, folder) if python else None

    def rate(self, threads: int, seconds: float) -> float:
        """Return decisions a second, on a new trail."""
        with tempfile.TemporaryDirectory(dir=self._folder) as home:
            done = subprocess.run(
                [self._python, "-P", _SCRIPT, str(threads), str(seconds)],
                env={**os.environ, "HOME": home},
                check=True,
                capture_output=True,
                text=True,
                timeout=seconds + 60,
            )
        result = json.loads(done.stdout.splitlines()[-1])
        return float(result["decisions"] / result["seconds"])
