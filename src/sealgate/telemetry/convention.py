"""What a convention is: how its spans are recognised, and which of their attributes are facts of ours."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a span tells of."""

    TOOL = "tool"
    MODEL = "model"
    AGENT = "agent"
    RETRIEVAL = "retrieval"
    STEP = "step"


KIND_OF_ROLE: Final = {
    Role.TOOL: "tool.call",
    Role.MODEL: "model.call",
    Role.AGENT: "event.logged",
    Role.RETRIEVAL: "context.retrieved",
    Role.STEP: "event.logged",
}
"""The kind of item for each role. A model call also gives one ``tool.call`` for each call that the model asked for."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How a span of a convention is recognised: an attribute, and the role that each of its values means.

    ``otherwise`` is the role of all other values; None: they are no mark. Values are compared in lower case.
    """

    attribute: str
    roles: dict[str, Role] = field(default_factory=dict)
    otherwise: Role | None = None


@dataclass(frozen=True, slots=True)
class Convention:
    """One way in which somebody writes spans: its marks, and for each role which attribute is which fact of ours.

    ``every`` holds for all roles. Keys are facts, values are attributes, the better one first.
    """

    name: str
    title: str
    marks: tuple[Mark, ...] = ()
    every: dict[str, tuple[str, ...]] = field(default_factory=dict)
    facts: dict[Role, dict[str, tuple[str, ...]]] = field(default_factory=dict)
