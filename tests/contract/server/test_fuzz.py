"""The document against the server: requests made from it, valid and invalid, and every answer as it promises."""

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from sealgate.server.openapi import document
from sealgate.server.routes import ROUTES

_CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
]
_REJECTION = openapi_checks.negative_data_rejection
"""Not for a batch: there an evaluation that cannot be asked is an answer of its own, with status 200."""


_RUNS = [("positive", route) for route in ROUTES] + [("negative", route) for route in ROUTES if route.takes]
"""Where there is nothing but a path there is nothing invalid to send."""


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(("mode", "route"), _RUNS, ids=[f"{mode} {route.method} {route.path}" for mode, route in _RUNS])
def test_every_answer_is_as_the_document_says(served, route, mode):
    """No 500, no undocumented status, no answer of another shape; what the document forbids is refused."""
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(document())))
    operation = schema[route.path][route.method]
    asked = 0

    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @_given(operation, mode)
    def ask(case) -> None:
        nonlocal asked
        asked += 1
        case.headers["Authorization"] = "Bearer everything"
        response = case.call(base_url=served.url, verify=str(served.authority.file))
        chosen = [check for check in _CHECKS if route.handler != "evaluate_batch" or check is not _REJECTION]
        case.validate_response(response, checks=chosen)

    ask()

    assert asked > 0
    assert not served.server.application.metrics.requests.get((route.path, 500))


def _given(operation, mode):
    from hypothesis import given

    return given(operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
