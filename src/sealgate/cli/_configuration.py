"""The options by which every command finds its configuration, and the time as files write it."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from sealgate.adapters import configuration
from sealgate.adapters.configuration import Configuration
from sealgate.cli._paths import GivenPath

_CONFIG = click.option("--config", "config_path", type=GivenPath(), help="The TOML configuration, or its folder.")
_SET = click.option("--set", "flags", multiple=True, metavar="SECTION.KEY=VALUE", help="Override one setting.")


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--config`` and ``--set`` to a command, which gets ``config_path`` and ``flags``."""
    return _CONFIG(_SET(command))


def load(config_path: Path | None, flags: tuple[str, ...]) -> Configuration:
    """Return the configuration in force. Raises ConfigurationError."""
    return configuration.load(configuration.find(config_path, os.environ), os.environ, flags)


def now() -> str:
    """Return the time, RFC 3339 UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
