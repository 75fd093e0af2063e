"""Waiting for the end of a killed authority: its helping processes hold the journal's lock for a moment longer."""

import contextlib
import time
from pathlib import Path

from sealgate.adapters.journals.file import nobody_else
from sealgate.model.errors import ConfigurationError


def wait_until_nobody_owns(journal: Path, timeout_s: float = 60.0) -> None:
    """Return when nobody holds the journal's lock. Raises TimeoutError where somebody does not let go of it."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with contextlib.suppress(ConfigurationError), nobody_else(journal):
            return
        time.sleep(0.005)
    raise TimeoutError(f"somebody holds {journal}")
