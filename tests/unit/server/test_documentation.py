"""The reference page against the tables that it describes."""

import pathlib
import re

from sealgate.server import problems
from sealgate.server.metrics import Metrics
from sealgate.server.routes import ROUTES

PAGE = (pathlib.Path(__file__).resolve().parents[3] / "docs" / "reference" / "api.md").read_text(encoding="utf-8")


def test_every_kind_of_problem_is_on_the_page():
    """A slug that a program may meet can be looked up."""
    kinds = [value for value in vars(problems).values() if isinstance(value, problems.Kind)]
    kinds += [*problems.KIND_OF_ERROR.values(), *problems.KIND_OF_CODE.values()]

    missing = {kind.slug for kind in kinds if f"`{kind.slug}`" not in PAGE}

    assert len(kinds) > 30
    assert not missing


def test_every_path_is_on_the_page():
    """So is every path, by its beginning."""
    missing = {route.path for route in ROUTES if route.path.split("{")[0].rstrip("/") not in PAGE}

    assert not missing


def test_every_metric_is_on_the_page():
    """So is every figure of the server."""
    names = set(re.findall(r"^# TYPE (\S+)", Metrics().exposition({}).decode(), re.MULTILINE))

    assert {name for name in names if f"`{name}" not in PAGE} == set()
