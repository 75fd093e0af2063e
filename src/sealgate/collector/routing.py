"""Which authority takes an item, and how long it is kept: a table by region and classification, first match wins."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """Items of this region and classification (empty: of any) go to ``authority`` and are kept as ``retention_class``.

    ``authority`` names a destination; ``""`` is the one that this collector belongs to.
    """

    authority: str
    retention_class: str
    region: str = ""
    classification: str = ""


class Routing:
    """The table. An item that no route takes is refused: it must not end up in the wrong region."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)
        self._known: dict[tuple[str | None, str | None], Route | None] = {}

    def find(self, region: str | None, classification: str | None) -> Route | None:
        """Return the first route that takes such items, or None."""
        key = (region, classification)
        if key not in self._known:
            if len(self._known) > 1024:  # foreign labels must not fill memory
                self._known.clear()
            self._known[key] = next((route for route in self._routes if _takes(route, *key)), None)
        return self._known[key]


def _takes(route: Route, region: str | None, classification: str | None) -> bool:
    return route.region in {"", region} and route.classification in {"", classification}
