"""The reference page against the tables that it describes."""

import ast
import pathlib
import re
from collections.abc import Iterator

from sealgate.server import problems
from sealgate.server.metrics import Metrics
from sealgate.server.routes import ROUTES

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
SOURCES = [
    path
    for path in (ROOT / "src" / "sealgate").rglob("*.py")
    if path.relative_to(ROOT / "src" / "sealgate").parts[0] not in ("verifier", "sdk", "cli")
    and path.name not in ("problems.py", "openapi.py")
]


def test_every_kind_of_problem_is_on_the_page():
    """A slug that a program may meet can be looked up."""
    kinds = [value for value in vars(problems).values() if isinstance(value, problems.Kind)]
    kinds += [*problems.KIND_OF_ERROR.values(), *problems.KIND_OF_CODE.values()]

    missing = {kind.slug for kind in kinds if f"`{kind.slug}`" not in PAGE}

    assert len(kinds) > 30
    assert not missing


def _said() -> Iterator[ast.AST]:
    """Yield what the code says: every node but docstrings and the lists in which routes declare their codes."""
    for path in SOURCES:
        stack: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
        while stack:
            node = stack.pop()
            declares = isinstance(node, ast.keyword) and node.arg == "codes"
            declares = declares or (isinstance(node, ast.AnnAssign) and ast.unparse(node.target).endswith("_CODES"))
            if not declares and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                yield node
                stack.extend(ast.iter_child_nodes(node))


def test_every_kind_of_problem_is_raised_somewhere():
    """Nothing is promised that no caller can meet: each code, each error class, each kind of the server's own."""
    nodes = list(_said())
    texts = {node.value for node in nodes if isinstance(node, ast.Constant)}
    called = {ast.unparse(node.func).rpartition(".")[2] for node in nodes if isinstance(node, ast.Call)}
    named = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    own = {name for name, value in vars(problems).items() if isinstance(value, problems.Kind)}
    by_class = {kind for kind in own if getattr(problems, kind) in problems.KIND_OF_ERROR.values()}

    assert {code for code in problems.KIND_OF_CODE if code not in texts} == set()
    assert {error.__name__ for error in problems.KIND_OF_ERROR if not error.__subclasses__()} - called == set()
    assert own - by_class - named == set()


def test_the_page_names_no_other_kind():
    """Every code on the page is one of the table's, or is raised with its own 403."""
    listed = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", PAGE[PAGE.index("## Errors") : PAGE.index("## Limits")]))
    kinds = [value for value in vars(problems).values() if isinstance(value, problems.Kind)]
    known = {kind.slug for kind in (*kinds, *problems.KIND_OF_ERROR.values(), *problems.KIND_OF_CODE.values())}

    assert listed - known == set()
    assert len(listed) > 50


def test_every_path_is_on_the_page():
    """So is every path, by its beginning."""
    missing = {route.path for route in ROUTES if route.path.split("{")[0].rstrip("/") not in PAGE}

    assert not missing


def test_every_metric_is_on_the_page():
    """So is every figure of the server."""
    names = set(re.findall(r"^# TYPE (\S+)", Metrics().exposition({}).decode(), re.MULTILINE))

    assert {name for name in names if f"`{name}" not in PAGE} == set()
