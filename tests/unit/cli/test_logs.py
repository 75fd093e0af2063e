"""`[log]` of the configuration: which lines are written, and in which form."""

import json
import logging

import pytest

from sealgate.adapters.configuration.sections.authority import Log
from sealgate.cli import _logs


@pytest.fixture(name="root")
def _root():
    """The root logger, put back afterwards."""
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    yield root
    root.level, root.handlers = before


def test_text_of_a_level(root, capsys):
    """Below the level nothing is written; from it on, one line each."""
    _logs.set_up(Log(level="warning"))
    logging.getLogger("a.b").info("not this")
    logging.getLogger("a.b").warning("but this")

    assert capsys.readouterr().err == "WARNING a.b: but this\n"


def test_json_lines(root, capsys):
    """Each line is one object, traces and line ends included."""
    _logs.set_up(Log(level="debug", format="json"))
    logging.getLogger("x").debug("two\nlines")
    try:
        int("broken")
    except ValueError:
        logging.getLogger("x").exception("failed")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())

    assert (first["level"], first["logger"], first["message"]) == ("debug", "x", "two\nlines")
    assert second["trace"].endswith("'broken'")
    assert first["time"].endswith("Z")
