"""What the demo tells: chapters of lines, each a call, what was decided, and what then was found to be so."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sealgate.demo.mcp.clients import Answer
from sealgate.demo.mcp.world import World

RAN: Final = "PERMIT"
REFUSED: Final = "refused"
"""The gateway itself refuses: nothing was asked of the policies."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened.

    ``seen`` was looked up where the effect would be; ``held`` says that all is as it must be. ``without`` says what the
    same call does where there is no gate, where that was tried.
    """

    what: str
    decision: str
    why: str
    seen: str
    held: bool
    record_id: str | None = None
    without: str = ""


@dataclass(slots=True)
class Chapter:
    """One part of the story."""

    title: str
    lines: list[Line] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Tell whether there are lines and each of them held."""
        return bool(self.lines) and all(line.held for line in self.lines)

    def told(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"title": self.title, "held": self.held, "lines": [asdict(line) for line in self.lines], **self.figures}


def shown(tool: str, arguments: Mapping[str, Any], world: World) -> str:
    """Return a call as a person reads it: paths from the home folder on."""
    home = str(world.home.folder)
    words = [" ".join(str(value).replace(home, "~").split()) for value in arguments.values()]
    return f"{tool}({', '.join(words)})"


def decided(answer: Answer, world: World) -> tuple[str, str]:
    """Return what was decided and why: of a refusal, what its durable record says."""
    if answer.record_id is not None:
        decision = world.decision(answer.record_id)
        return str(decision["outcome"]), ", ".join(decision.get("policies") or ()) or str(decision["reason"])
    if answer.failed:
        return REFUSED, answer.text.rpartition(" cannot be used: ")[2].removesuffix(". It was not run.")
    return RAN, ""
