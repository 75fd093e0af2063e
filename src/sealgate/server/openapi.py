"""The OpenAPI 3.1 document, built from the routing table and the structures; nothing is written twice.

``python -m sealgate.server.openapi > schema/openapi.json`` writes the published copy; a test compares the two.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any, Final, get_args, get_origin

import msgspec

from sealgate.model.errors import NotProvenError
from sealgate.model.evaluation import Action, Context, Entity, EvaluationRequest
from sealgate.model.lifecycle import ApprovalState

from . import problems
from .answers import Readiness
from .evaluations import EvaluationsResponse
from .problems import Problem
from .route import Route
from .routes import ROUTES

_REF: Final = "#/components/schemas/{name}"
_LENIENT: Final = (EvaluationRequest, Entity, Action, Context)
"""Structures to which AuthZEN lets a caller add members; see server.decoding."""

_DESCRIPTION: Final = (
    "Decides whether an AI agent's action may run, before it runs, and seals the evidence. Every decision, SILENCE "
    "included, is HTTP 200; only `decision: true` permits. Every error is an RFC 9457 problem with a `hint`."
)
_REQUEST_ID: Final = {
    "name": "X-Request-ID",
    "in": "header",
    "description": "Comes back in the answer; a decision or outcome asked again under the same id is answered again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}
_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "record_id": {"type": "string", "format": "uuid", "description": "A record's id, lower case."},
    "digest": {"type": "string", "minLength": 1, "description": "A policy version, `sha256:…`."},
    "approval_id": {"type": "string", "format": "uuid", "description": "An approval's id, lower case."},
    "grant_id": {"type": "string", "format": "uuid", "description": "A grant's id, lower case."},
    "export_id": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "An export's id."},
    "part": {"type": "integer", "minimum": 0, "maximum": 1000000, "description": "A part's number, from 0."},
    "trace_id": {
        "type": "string",
        "minLength": 1,
        "maxLength": 256,
        "description": "A task, trace, session or record.",
    },
    "id": {"type": "string", "minLength": 1, "maxLength": 256, "description": "An agent's id."},
    "subject": {"type": "string", "pattern": "^sub_[a-z2-7]{26}$", "description": "A subject's token."},
    "lookup": {"type": "string", "format": "uuid", "description": "A look-up's id."},
    "version": {"type": "string", "minLength": 1, "maxLength": 64, "description": "The version that you have."},
    "tile": {"type": "string", "minLength": 1, "description": "As C2SP tlog-tiles names it, slashes included."},
}
_QUERY: Final[dict[str, dict[str, Any]]] = {
    "wait_s": {
        "name": "wait_s",
        "in": "query",
        "description": "Seconds to wait for a decision at most.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 30},
    },
    "state": {
        "name": "state",
        "in": "query",
        "description": "A state to list; may be given several times. `requested` without any.",
        "schema": {"type": "array", "items": {"type": "string", "enum": [state.value for state in ApprovalState]}},
    },
}
_ALWAYS: Final = (
    problems.INVALID,
    problems.TARGET_TOO_LONG,
    problems.HEAD_TOO_LARGE,
    problems.INTERNAL,
    problems.UNAVAILABLE,
)
_WITH_BODY: Final = (problems.TOO_LARGE, problems.TIMEOUT)


def document(
    routes: Sequence[Route] = ROUTES, title: str = "Sealgate authority", description: str = _DESCRIPTION
) -> dict[str, Any]:
    """Return the document of a routing table."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": "1",
            "description": description,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key; kept hashed."},
                "certificate": {"type": "mutualTLS", "description": "A client certificate that the operator mapped."},
            },
        },
    }


def document_bytes() -> bytes:
    """Return the document as it is served and published."""
    return json.dumps(document(), indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler,
        "summary": route.summary,
        "parameters": [*map(_path_parameter, route.parameters), *(_QUERY[name] for name in route.query)],
        "responses": _responses(route),
    }
    if route.roles is not None:
        operation["parameters"].append(_REQUEST_ID)
        operation["security"] = [{"key": []}, {"certificate": []}]
        who = " or ".join(sorted(route.roles)) if route.roles else "any known caller"
        operation["description"] = f"For: {who}. On the local socket the process itself is the proof."
    if route.takes is not None:
        operation["requestBody"] = {
            "required": not _may_be_empty(route),
            "content": {"application/json": {"schema": _schema(route.takes)}},
        }
    return operation


def _may_be_empty(route: Route) -> bool:
    return (
        isinstance(route.takes, type) and issubclass(route.takes, msgspec.Struct) and not route.takes.__struct_fields__
    )


def _path_parameter(name: str) -> dict[str, Any]:
    schema = dict(_PARAMETERS[name])
    return {"name": name, "in": "path", "required": True, "description": schema.pop("description"), "schema": schema}


def _responses(route: Route) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": "Done.", "content": _content(route)}}
    titles: dict[int, list[str]] = {}
    for kind in _kinds(route):
        titles.setdefault(kind.status, []).append(f"`{kind.slug}`: {kind.title}.")
    for status, lines in sorted(titles.items()):
        content = {"application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}}
        responses[str(status)] = {"description": " ".join(lines), "content": content}
    if route.handler == "ready":
        schema = {"$ref": _REF.format(name="Readiness")}
        responses["503"]["content"]["application/json"] = {"schema": schema}
    return responses


def _kinds(route: Route) -> list[problems.Kind]:
    kinds = [*_ALWAYS]
    if route.roles is not None:
        kinds += [problems.UNAUTHENTICATED, problems.FORBIDDEN]
    if route.takes is not None:
        media = problems.MEDIA_TYPE
        kinds += [*_WITH_BODY, msgspec.structs.replace(media, status=400) if route.authzen else media]
    if route.parameters or route.path.startswith("/v1/log/"):
        kinds.append(problems.NOT_FOUND)
    if route.handler in {"tlog_proof", "transparent_statement"}:
        kinds.append(problems.KIND_OF_ERROR[NotProvenError])
    return kinds + [problems.KIND_OF_CODE[code] for code in route.codes]


def _content(route: Route) -> dict[str, Any]:
    if isinstance(route.answer, str):
        return {route.answer: {"schema": {"type": "string"}}}
    return {"application/json": {"schema": _schema(route.answer)}}


def _schema(kind: Any) -> dict[str, Any]:
    if kind is msgspec.Raw:
        return {"type": "object"}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {"$ref": _REF.format(name=kind.__name__)}
    if get_origin(kind) is list:
        return {"type": "array", "items": _schema(get_args(kind)[0])}
    if get_args(kind) and all(
        isinstance(member, type) and issubclass(member, msgspec.Struct) for member in get_args(kind)
    ):
        return {"oneOf": [_schema(member) for member in get_args(kind)]}
    return {"type": "object"}


def _structures(routes: Sequence[Route]) -> list[type[msgspec.Struct]]:
    found: dict[str, type[msgspec.Struct]] = {"Problem": Problem, "Readiness": Readiness}
    for route in routes:
        for kind in (route.takes, route.answer, *get_args(route.answer)):
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                found[kind.__name__] = kind
    return list(found.values())


def _schemas(routes: Sequence[Route]) -> dict[str, Any]:
    structures = _structures(routes)
    _, schemas = msgspec.json.schema_components(
        [kind for kind in structures if kind is not EvaluationsResponse], ref_template=_REF
    )
    if EvaluationsResponse in structures:
        schemas.update(_evaluations_response())
    for lenient in _LENIENT:
        if lenient.__name__ in schemas:
            schemas[lenient.__name__].pop("additionalProperties", None)
    return dict(schemas)


def _evaluations_response() -> dict[str, Any]:
    # EvaluationResponse and EvaluationError are told apart by their members, which msgspec cannot do when it decodes,
    # so it cannot describe their union either: it is written here.
    members = get_args(get_args(EvaluationsResponse.__annotations__["evaluations"])[0])
    _, schemas = msgspec.json.schema_components(members, ref_template=_REF)
    one_of = [{"$ref": _REF.format(name=kind.__name__)} for kind in members]
    return schemas | {
        "EvaluationsResponse": {
            "title": "EvaluationsResponse",
            "description": (EvaluationsResponse.__doc__ or "").strip(),
            "type": "object",
            "properties": {"evaluations": {"type": "array", "items": {"anyOf": one_of}}},
            "required": ["evaluations"],
        }
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(document_bytes())
