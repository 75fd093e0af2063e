"""The vault's routing table: who may exchange values, know persons, ask what a token stands for, consent."""

from typing import Any, Final

from sealgate.model.erasure import Erasure, ErasureRequest
from sealgate.model.limits import MAX_REQUEST_BYTES
from sealgate.server import answers
from sealgate.server.route import Route
from sealgate.server.vault import messages
from sealgate.vault.erasure import SubjectState
from sealgate.vault.lookups import Lookup
from sealgate.vault.tokens import Export, Known

TITLE: Final = "Sealgate vault"
DESCRIPTION: Final = (
    "What tokens stand for, apart from everything else. A look-up needs a reason and another person's consent, is told "
    "once, and each step is a record of the authority before it takes effect. Errors are RFC 9457 problems."
)
_MAX_BYTES: Final = 4 * MAX_REQUEST_BYTES
_LOOKUP_CODES: Final = ("lookup-unknown", "lookup-state", "second-person-needed")


def _route(method: str, path: str, handler: str, summary: str, role: str, answer: Any, **more: Any) -> Route:
    more.setdefault("max_bytes", MAX_REQUEST_BYTES if method == "POST" else 0)
    return Route(method, path, handler, summary, answer, roles=frozenset({role}), **more)


ROUTES: Final[tuple[Route, ...]] = (
    _route(
        "POST",
        "/v1/tokens",
        "exchange",
        "Exchange values for tokens",
        "tokenize",
        messages.TokensAnswer,
        takes=messages.TokensRequest,
        max_bytes=_MAX_BYTES,
        codes=("subject-unknown",),
    ),
    _route("GET", "/v1/known-values", "known", "All known values, for matching in memory", "tokenize", Known),
    _route(
        "GET", "/v1/known-values/{version}", "known_since", "The same, null if you have this version", "tokenize", Known
    ),
    _route(
        "POST",
        "/v1/subjects",
        "register",
        "Register a person, or more values of one",
        "subjects",
        messages.SubjectAnswer,
        takes=messages.SubjectRequest,
        max_bytes=_MAX_BYTES,
        codes=("subject-unknown",),
    ),
    _route(
        "POST",
        "/v1/subjects/find",
        "find",
        "Who has this value",
        "subjects",
        messages.FindAnswer,
        takes=messages.FindRequest,
    ),
    _route(
        "GET",
        "/v1/subjects/{subject}",
        "status",
        "How far a subject is",
        "subjects",
        SubjectState,
        codes=("subject-unknown",),
    ),
    _route(
        "GET",
        "/v1/subjects/{subject}/export",
        "export",
        "Everything that the vault holds of a person",
        "subjects",
        Export,
        codes=("subject-unknown",),
    ),
    _route(
        "POST",
        "/v1/subjects/{subject}/erasure",
        "erase",
        "Erase a person here and at the authority; the same id again continues",
        "subjects",
        Erasure,
        takes=ErasureRequest,
        codes=("subject-unknown", "erasure-under-way"),
    ),
    _route(
        "POST",
        "/v1/lookups",
        "request_lookup",
        "Ask what a token stands for",
        "lookup",
        Lookup,
        takes=messages.LookupRequest,
        codes=_LOOKUP_CODES[:1],
    ),
    _route("GET", "/v1/lookups", "pending", "Look-ups that wait for a person", "consent", messages.LookupsAnswer),
    _route(
        "GET",
        "/v1/lookups/{lookup}",
        "fetch",
        "How far your look-up is; after the consent its value, once",
        "lookup",
        Lookup,
        codes=_LOOKUP_CODES,
    ),
    _route(
        "POST",
        "/v1/lookups/{lookup}/consent",
        "consent",
        "Agree to the look-up of another person",
        "consent",
        Lookup,
        takes=answers.Nothing,
        codes=_LOOKUP_CODES,
    ),
    _route(
        "POST",
        "/v1/lookups/{lookup}/refusal",
        "refuse",
        "Refuse a look-up",
        "consent",
        Lookup,
        takes=answers.Nothing,
        codes=_LOOKUP_CODES,
    ),
    Route("GET", "/healthz", "health", "The process answers", answers.Health),
    Route("GET", "/metrics", "metrics", "Figures for Prometheus", "text/plain"),
    Route("GET", "/openapi.json", "document", "This document", dict[str, Any]),
)
