"""The document against the code and against its own specification."""

import json
import pathlib

import jsonschema
import pytest

from sealgate.model import evaluation
from sealgate.server.handlers import Handlers
from sealgate.server.openapi import document, document_bytes
from sealgate.server.routes import ROUTES

PUBLISHED = pathlib.Path(__file__).resolve().parents[3] / "schema" / "openapi.json"


def test_the_published_document_is_the_current_one():
    """`python -m sealgate.server.openapi > schema/openapi.json` writes it anew."""
    assert PUBLISHED.read_bytes() == document_bytes()


def test_every_route_is_in_it_and_has_a_handler():
    """The table is the one source: nothing is served that is not described."""
    described = {(method.upper(), path) for path, methods in document()["paths"].items() for method in methods}

    assert described == {(route.method, route.path) for route in ROUTES}
    assert all(callable(getattr(Handlers, route.handler)) for route in ROUTES)


def test_every_reference_leads_somewhere():
    """A schema that is named exists."""
    text = json.dumps(document())
    names = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}

    assert names <= document()["components"]["schemas"].keys()
    assert "EvaluationRequest" in names


def test_schemas_are_json_schema():
    """OpenAPI 3.1 schemas are JSON Schema 2020-12."""
    for schema in document()["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_authzen_may_be_extended_and_the_rest_may_not():
    """Members that are not known are taken where the standard asks for it, and refused elsewhere."""
    schemas = document()["components"]["schemas"]

    assert "additionalProperties" not in schemas["EvaluationRequest"]
    assert schemas["RedeemRequest"]["additionalProperties"] is False
    assert schemas["OutcomeRequest"]["additionalProperties"] is False


@pytest.mark.parametrize("route", [route for route in ROUTES if route.roles is not None], ids=lambda route: route.path)
def test_a_route_with_roles_says_how_to_prove_them(route):
    """401 and 403 are described wherever they can happen."""
    operation = document()["paths"][route.path][route.method.lower()]

    assert operation["security"]
    assert {"401", "403"} <= operation["responses"].keys()


def test_requests_of_the_model_are_all_offered():
    """A structure named `…Request` that no route takes would be a promise that nobody keeps."""
    offered = {getattr(route.takes, "__name__", "") for route in ROUTES}

    assert {name for name in vars(evaluation) if name.endswith("Request")} <= offered
