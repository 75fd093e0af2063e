"""Starter packs: policy directories for common kinds of tools, to copy, read and change."""

import shutil
from pathlib import Path
from typing import Final

from sealgate.model.errors import ConfigurationError

_FOLDER: Final = Path(__file__).parent / "packs"

PACKS: Final = {
    "payments": "Pay known payees small amounts; larger ones need a person.",
    "data-export": "Query freely, export little, and only to known places.",
    "health-records": "Read and write records of care; nothing of them leaves.",
    "infrastructure": "Look at everything, change what is not production.",
    "messaging": "Write to people whom the request or the directory names.",
    "shell": "Run a few programs in one folder; no network once others' content was read.",
}
"""Name of each pack and what it is for."""


def write(pack: str, directory: Path) -> None:
    """Copy a pack into a new directory.

    Raises:
        ConfigurationError: there is something already, or the directory cannot be written.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigurationError(f"`{directory}` is not empty", hint="name a new directory")
    try:
        shutil.copytree(_FOLDER / pack, directory, dirs_exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"`{directory}` cannot be written: {error}") from error
