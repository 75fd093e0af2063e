"""From the path of a request to its route."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from sealgate.model.errors import InputError
from sealgate.model.limits import MAX_REQUEST_BYTES

from .route import Route
from .routes import ROUTES

_MANY_SEGMENTS: Final = frozenset({"tile"})
"""Parameters that take slashes."""


class Router:
    """Finds the route of a request. Paths are compared as they are sent; only parameters are percent-decoded."""

    def __init__(self, routes: Sequence[Route] = ROUTES, max_request_bytes: int = MAX_REQUEST_BYTES) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Route]]] = []
        by_path: dict[str, dict[str, Route]] = {}
        for entry in routes:
            own_bound = entry.max_bytes != MAX_REQUEST_BYTES  # a policy bundle's, or none
            route = entry if own_bound else replace(entry, max_bytes=max_request_bytes)
            by_path.setdefault(route.path, {})[route.method] = route
            if route.method == "GET":
                by_path[route.path]["HEAD"] = route
        for path, methods in by_path.items():
            if "{" in path:
                self._patterns.append((_pattern(path), methods))
            else:
                self._exact[path] = methods

    def methods(self, path: str) -> tuple[dict[str, Route], dict[str, str]]:
        """Return the routes of ``path`` by method (none: there is nothing here) and the path's parameters.

        Raises:
            InputError: a parameter is not percent-encoded UTF-8.
        """
        found = self._exact.get(path)
        if found is not None:
            return found, {}
        for pattern, methods in self._patterns:
            match = pattern.fullmatch(path)
            if match:
                return methods, {name: _decoded(part) for name, part in match.groupdict().items()}
        return {}, {}


def _pattern(path: str) -> re.Pattern[str]:
    pieces = re.split(r"{(\w+)}", path)
    for place in range(1, len(pieces), 2):
        name = pieces[place]
        pieces[place] = f"(?P<{name}>{'.+' if name in _MANY_SEGMENTS else '[^/]+'})"
    return re.compile("".join(pieces))


def _decoded(part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError as error:
        raise InputError("the path is not percent-encoded UTF-8", hint="encode identifiers as UTF-8") from error
