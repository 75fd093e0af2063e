"""Fetches a record's receipt from the running authority, waiting for its proof."""

import time
from pathlib import Path
from typing import Any, Final

import click

from sealgate.cli._calls import call, segment

_POLL_S: Final = 0.1

waiting = click.option(
    "--wait", "wait_s", type=float, default=10.0, show_default=True, help="Seconds to wait for the proof."
)


def receipt(record_id: str, wait_s: float, config_path: Path | None, flags: tuple[str, ...]) -> dict[str, Any]:
    """Return the receipt, as soon as a checkpoint covers the record; only signed where none does after ``wait_s``."""
    deadline = time.monotonic() + wait_s
    while True:
        found: dict[str, Any] = call(config_path, flags, "GET", f"/v1/receipts/{segment(record_id)}")
        if found["state"] != "signed" or not time.monotonic() < deadline:  # no number is no time to wait
            return found
        time.sleep(_POLL_S)
