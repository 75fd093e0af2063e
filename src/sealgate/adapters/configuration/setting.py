"""One setting: the sentence that documents it, its unit, default and bounds, kept with the dataclass field."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known about one setting besides its type and default."""

    sentence: str
    unit: str = ""
    least: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()
    required: bool = False


def optional(default: Any, sentence: str, unit: str = "", **more: Any) -> Any:
    """Return a field with a default, and what is known about it."""
    return field(default=default, metadata={"setting": Setting(sentence, unit, **more)})


def required(sentence: str, **more: Any) -> Any:
    """Return a field that must be given, and what is known about it."""
    return field(metadata={"setting": Setting(sentence, required=True, **more)})
