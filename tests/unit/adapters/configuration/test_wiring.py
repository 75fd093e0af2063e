"""No setting is an empty promise: each is read somewhere outside the code that loads and documents it."""

import ast
from dataclasses import fields
from pathlib import Path

import pytest

from sealgate.adapters.configuration.settings import REPEATED, SECTIONS

SOURCE = Path(__file__).resolve().parents[4] / "src" / "sealgate"
READ = {
    (node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", ""), node.attr)
    for path in SOURCE.rglob("*.py")
    if "configuration" not in path.parts and "demo" not in path.parts
    for node in ast.walk(ast.parse(path.read_text("utf-8")))
    if isinstance(node, ast.Attribute)
}
READ_AS = {
    "timestamps": {"timestamps", "stamps"},
    "keys": {"keys", "_keys"},
    "log": {"log", "settings"},
    "witness": {"entry"},
    "identity": {"entry"},
    "route": {"entry"},
    "credential": {"entry"},
    "oidc": {"entry"},
    "spiffe": {"entry", "first"},
    "grant": {"grant", "entry"},
    "access": {"access", "settings"},
    "retention_class": {"entry"},
    "approver": {"entry"},
    "authority": {"authority", "configuration", "found"},
}
"""The names under which the code holds a section, where it is not the section's own."""


@pytest.mark.parametrize(("section", "kind"), (SECTIONS | REPEATED).items())
def test_every_setting_is_read(section, kind):
    """What is documented is wired."""
    holders = READ_AS.get(section, {section})
    unread = [item.name for item in fields(kind) if not any((holder, item.name) in READ for holder in holders)]

    assert unread == []
    assert ("records", "no_such_setting") not in READ  # positive control
