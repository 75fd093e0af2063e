"""The evidence service's document, pages and errors: published as made, every route handled, roles page as asked."""

import json
from pathlib import Path

from sealgate.cli import roles_reference
from sealgate.server.evidence.handlers import Handlers
from sealgate.server.evidence.openapi import document_bytes
from sealgate.server.evidence.routes import ROUTES

ROOT = Path(__file__).resolve().parents[3]


def test_the_document_is_published_as_it_is_made():
    """`python -m sealgate.server.evidence.openapi > schema/openapi-evidence.json` was run."""
    assert (ROOT / "schema" / "openapi-evidence.json").read_bytes() == document_bytes()


def test_every_route_is_handled_and_described():
    """No route without a handler, none without an answer; reads need a known caller, pages of the service do not."""
    document = json.loads(document_bytes())
    for route in ROUTES:
        assert callable(getattr(Handlers, route.handler))
        assert route.method.lower() in document["paths"][route.path]
        assert (route.roles is None) is (route.path in {"/healthz", "/readyz", "/metrics", "/openapi.json"})


def test_the_roles_page_is_what_the_policies_answer():
    """`python -m sealgate.cli.roles_reference > docs/reference/roles.md` was run."""
    assert (ROOT / "docs" / "reference" / "roles.md").read_text("utf-8") == roles_reference.page()
