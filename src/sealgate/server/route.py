"""One route: a path and method, who may use it, what it takes and what it answers."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from sealgate.model.limits import MAX_REQUEST_BYTES

ANYONE: Final = None
"""No identity needed."""

KNOWN: Final[frozenset[str]] = frozenset()
"""Any proven identity; the authority decides what it may see."""


def roles(*names: str) -> frozenset[str]:
    """Return the roles of which a caller needs one."""
    return frozenset(names)


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method. ``answer`` is a structure (JSON) or a media type (bytes)."""

    method: str
    path: str
    handler: str
    summary: str
    answer: Any
    roles: frozenset[str] | None = ANYONE
    takes: Any = None
    max_bytes: int = 0
    authzen: bool = False
    at_once: bool = False
    """Whether its handler may be begun outside of a task: it does not ask which task it is in before it first waits."""

    query: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    parameters: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(re.findall(r"{(\w+)}", self.path)))


def post(path: str, handler: str, summary: str, **more: Any) -> Route:
    """Return a route that takes a body of the usual bound."""
    return Route("POST", path, handler, summary, **{"max_bytes": MAX_REQUEST_BYTES, **more})


def get(path: str, handler: str, summary: str, **more: Any) -> Route:
    """Return a route that only reads."""
    return Route("GET", path, handler, summary, **more)
