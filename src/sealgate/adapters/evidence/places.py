"""Where warm segments are, and how SQL names them and their keys."""

from pathlib import Path
from typing import Final

from sealgate.adapters.evidence.engine import quoted

WARM: Final = "warm"


def relation(warm: Path, name: str) -> str:
    """Return a segment as a relation of SQL."""
    return f"read_parquet({quoted(str(warm / name))}, encryption_config={{footer_key: '{key_name(name)}'}})"


def key_name(name: str) -> str:
    """Return the name by which the engine knows a segment's key."""
    return "s" + name.partition(".")[0]
