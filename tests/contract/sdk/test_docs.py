"""The snippets of the pages run as they stand, against the simulated authority."""

import asyncio
import importlib.util
import pathlib
import re

import pytest

from sealgate import sdk
from sealgate.sdk import settings

DOCS = pathlib.Path(__file__).resolve().parents[3] / "docs"


def load(name: str):
    """Import one snippet."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "snippets" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_guard_function(authority, client, capsys):
    """Permitted it sends; denied it says which rule; away it says that nothing was done."""
    snippet = load("guard_function")
    snippet.main()
    authority.rule = lambda _: {"outcome": "DENY", "reason": "policy", "policies": ["no-rent"]}
    snippet.main()
    authority.rule = lambda _: {"outcome": "SILENCE", "reason": "no_policy"}
    snippet.main()
    sent, denied, nothing = capsys.readouterr().out.splitlines()
    assert sent == "sent 900 to landlord"
    assert "no-rent" in denied
    assert nothing.startswith("nothing was done")


def test_guard_async(authority, client, tmp_path):
    """The path is judged as text and rebuilt."""
    (tmp_path / "x").write_text("content")
    assert asyncio.run(load("guard_async").read(tmp_path / "x")) == "content"
    assert authority.decisions[0]["context"]["input"] == {"path": str(tmp_path / "x")}


def test_guard_obligation(authority, client):
    """The handler narrows the result."""
    obligations = [{"id": "cut_rows", "params": {"at_most": 3}}]
    authority.rule = lambda _: {"outcome": "PERMIT", "reason": "policy", "obligations": obligations}
    assert load("guard_obligation").customers("is") == ["is-0", "is-1", "is-2"]


def test_record_chain(client, items):
    """The snippet leaves every link that its page names."""
    load("record_chain").main()
    kinds = [item["kind"] for item in items()]
    assert kinds[:4] == ["session.started", "session.started", "input.received", "reasoning"]
    assert {"tool.call", "tool.outcome", "context.retrieved", "model.call", "error", "fallback", "event.logged"} < set(
        kinds
    )


def test_record_across(client, capsys):
    """Both the other service and the child process are in the caller's trace."""
    load("record_across").main()
    assert capsys.readouterr().out == "True\nTrue\n"


@pytest.mark.parametrize("name", settings._FROM_ENVIRONMENT)
def test_every_setting_is_documented(name):
    """The reference names each setting and its variable."""
    page = (DOCS / "reference" / "sdk.md").read_text(encoding="utf-8")
    assert f"`{name}`" in page
    assert f"`SEALGATE_{name.upper()}`" in page


def test_every_public_error_is_documented():
    """The reference names each exception."""
    page = (DOCS / "reference" / "sdk.md").read_text(encoding="utf-8")
    errors = [name for name in sdk.__all__ if isinstance(getattr(sdk, name), type)]
    errors = [name for name in errors if issubclass(getattr(sdk, name), Exception)]
    assert len(errors) >= 10
    assert [name for name in errors if not re.search(rf"\b{name}\b", page)] == []
