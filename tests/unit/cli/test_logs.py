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
    before, client = (root.level, list(root.handlers)), logging.getLogger("httpx").level
    yield root
    root.level, root.handlers = before
    logging.getLogger("httpx").setLevel(client)


def test_text_of_a_level(root, capsys):
    """Below the level nothing is written; from it on, one line each."""
    _logs.set_up(Log(level="warning"))
    logging.getLogger("a.b").info("not this")
    logging.getLogger("a.b").warning("but this")

    assert capsys.readouterr().err == "WARNING a.b: but this\n"


@pytest.mark.parametrize(("level", "told"), [("info", False), ("debug", True)])
def test_requests_to_others_are_told_at_debug_only(root, capsys, level, told):
    """The HTTP client's line for each request is no news at `info`; what went wrong is."""
    _logs.set_up(Log(level=level))
    logging.getLogger("httpx").info("HTTP Request")
    logging.getLogger("httpx").warning("trouble")
    written = capsys.readouterr().err

    assert ("HTTP Request" in written) == told
    assert "trouble" in written


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
