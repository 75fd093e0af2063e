"""Finding the route of a path."""

import pytest

from sealgate.model.errors import InputError
from sealgate.server.router import Router
from sealgate.server.routes import ROUTES


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_found(route):
    """The table leads back to itself, with the parameters decoded."""
    path = route.path.replace("{", "%7B").replace("}", "%7D")

    methods, parameters = Router().methods(path)

    assert methods[route.method] == route
    assert parameters == {name: f"{{{name}}}" for name in route.parameters}


@pytest.mark.parametrize(
    "path",
    ["", "/", "//healthz", "/healthz/", "/HEALTHZ", "/v1/agents//pause", "/v1/agents/a/b/pause", "/v1/receipts/a/b"],
)
def test_other_paths_lead_nowhere(path):
    """Paths are compared as they are sent: no folding of case, slashes or dots."""
    assert Router().methods(path) == ({}, {})


def test_a_parameter_that_is_not_utf_8_is_refused():
    """It is never replaced by look-alike characters."""
    assert Router().methods("/v1/agents/%C3%A9/pause")[1] == {"id": "é"}
    with pytest.raises(InputError):
        Router().methods("/v1/agents/%E9/pause")


def test_roles():
    """Public paths are exactly these; who may pause may not publish by that alone."""
    public = {route.path for route in ROUTES if route.roles is None}

    assert public == {
        "/v1/log/checkpoint",
        "/v1/log/tile/{tile}",
        "/v1/approvals/callback",  # its signature is the proof
        "/.well-known/authzen-configuration",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/.well-known/jwks.json",
        "/v1/tokens/revoked",
    }
    roles = {route.handler: route.roles for route in ROUTES}
    assert (roles["pause"], roles["publish_policy"]) == ({"operate"}, {"publish"})
