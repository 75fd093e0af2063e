"""The ready-made retention profiles: a versioned data file beside this module, to be agreed with counsel, opt-in."""

import json
from importlib import resources
from typing import Any, Final

from sealgate.retention.classes import Rule, rule_of

FORMAT: Final = "sealgate-retention-profiles/v1"


def _load() -> dict[str, dict[str, Any]]:
    text = resources.files(__package__).joinpath("retention_profiles.json").read_text("utf-8")
    profiles: dict[str, dict[str, Any]] = json.loads(text)["profiles"]
    return profiles


PROFILES: Final = _load()
"""Profile name → where its times come from, and its classes."""

NAMES: Final = tuple(PROFILES)


def rules(names: tuple[str, ...]) -> list[Rule]:
    """Return the classes of these profiles."""
    return [rule_of(entry) for name in names for entry in PROFILES[name]["classes"]]
