"""Paths as commands take them."""

from pathlib import Path
from typing import Any

import click


class GivenPath(click.Path):
    """A path that somebody gave. The empty text, as of a variable that is not set, is not taken for this folder."""

    def __init__(self, **more: Any) -> None:
        super().__init__(path_type=Path, **more)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or refuse an empty one with what to do."""
        if value == "":
            self.fail("the path is empty: is a variable not set? Write `.` for this folder", param, ctx)
        return super().convert(value, param, ctx)
