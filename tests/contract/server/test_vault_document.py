"""The vault's published API description."""

import pathlib

from sealgate.server.vault.handlers import document_bytes
from sealgate.server.vault.routes import ROUTES

ROOT = pathlib.Path(__file__).resolve().parents[3]


def test_the_published_document_is_the_served_one():
    """`python -m sealgate.server.vault > schema/openapi-vault.json` writes it anew."""
    assert (ROOT / "schema" / "openapi-vault.json").read_bytes() == document_bytes()


def test_every_path_is_on_the_page():
    """So is every path, by its beginning."""
    page = (ROOT / "docs" / "reference" / "vault.md").read_text("utf-8")

    assert not {route.path for route in ROUTES if route.path.split("{")[0].rstrip("/") not in page}
