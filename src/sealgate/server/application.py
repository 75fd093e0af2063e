"""From a request to its answer: route, identity, role, content type, handler, problem. No transport in here.

The order of the checks is the order in which a caller learns least: what does not exist is 404, a method that is not
offered 405, then who it is (401), what it may (403), and only then whether its body makes sense (415, 413, 400).
"""

import logging
import secrets
import time
from typing import Final

import msgspec

from sealgate.model.errors import InputError, SealgateError
from sealgate.model.evaluation import Identity
from sealgate.model.limits import MAX_REQUEST_BYTES
from sealgate.ports.identity import IdentityResolver

from . import problems
from .access_log import AccessLog
from .api import Api
from .bounds import MAX_REQUEST_ID_BYTES
from .decoding import is_json
from .handlers import Call, Handler
from .messages import Request, Response
from .problems import Kind
from .route import Route
from .router import Router

_log = logging.getLogger("sealgate.server")

_NOBODY: Final = Identity(principal="", proof="internal")
_NO_ROUTE: Final = "(none)"
_CHALLENGE: Final = (b"www-authenticate", b'Bearer realm="sealgate"')


class Application:
    """Answers requests. One for all listeners; lives on one event loop."""

    def __init__(
        self,
        api: Api,
        resolver: IdentityResolver,
        *,
        access_log: AccessLog | None = None,
        max_request_bytes: int = MAX_REQUEST_BYTES,
    ) -> None:
        self.metrics = api.metrics
        self.handlers = api.handlers
        self._resolver = resolver
        self._access_log = access_log
        self._router = Router(api.routes, max_request_bytes)
        self._handler_of: dict[str, Handler] = {
            route.handler: getattr(api.handlers, route.handler) for route in api.routes
        }

    def route(self, path: str, method: str) -> Route | None:
        """Return where such a request goes, None where nothing is: a transport looks there for its bounds."""
        try:
            return self._router.methods(path)[0].get(method)
        except InputError:
            return None

    async def handle(self, request: Request) -> Response:
        """Return the answer to one request. Never raises: what is not expected is a 500 problem, logged with an id."""
        started = time.perf_counter()
        route: Route | None = None
        caller = _NOBODY
        try:
            methods, parameters = self._router.methods(request.path)
            route = methods.get(request.method)
            if route is None:
                response = _no_route(methods)
            elif (found := self._identify(request, route)) is None:
                response = _unauthenticated()
            else:
                caller = found
                response = await self._answer(request, route, parameters, caller)
        except SealgateError as error:
            response = self._problem(error)
        except Exception:  # noqa: BLE001  # the last line: nothing of it may reach a caller
            instance = secrets.token_hex(8)
            _log.exception("unexpected error, incident %s", instance)
            response = problems.answer(problems.unexpected(instance))
        if request.request_id is not None:
            response.headers.append((b"x-request-id", request.request_id))
        name = route.path if route else _NO_ROUTE
        self.metrics.count_request(name, response.status)
        if self._access_log is not None:
            self._access_log.note(request, name, response, caller, time.perf_counter() - started)
        return response

    async def _answer(self, request: Request, route: Route, parameters: dict[str, str], caller: Identity) -> Response:
        refusal = _refusal(request, route, caller)
        if refusal is not None:
            return refusal
        call = Call(request, route, parameters, caller, _request_id(request.request_id))
        return await self._handler_of[route.handler](call)

    def _identify(self, request: Request, route: Route) -> Identity | None:
        if route.roles is None:
            return _NOBODY
        authorization = request.authorization
        return self._resolver.resolve(request.peer, None if authorization is None else authorization.decode("latin-1"))

    def _problem(self, error: SealgateError) -> Response:
        instance = ""
        if problems.kind_of(error).opaque:
            instance = secrets.token_hex(8)
            _log.error("%s, incident %s", error, instance)
        return problems.answer(problems.describe(error, instance))


def _no_route(methods: dict[str, Route]) -> Response:
    if not methods:
        return problems.answer(problems.problem(problems.NOT_FOUND, "no such path", hint="see /openapi.json"))
    allow = ", ".join(sorted(methods))
    content = problems.problem(problems.METHOD, "the path has other methods", hint=f"use {allow}")
    return problems.answer(content, (b"allow", allow.encode()))


def _unauthenticated() -> Response:
    content = problems.problem(
        problems.UNAUTHENTICATED,
        "neither the connection nor a key proves who is calling",
        hint="send `Authorization: Bearer <key>`, use a client certificate, or the local socket",
    )
    return problems.answer(content, _CHALLENGE)


def _refusal(request: Request, route: Route, caller: Identity) -> Response | None:
    if route.roles and not route.roles & caller.roles:
        needed = " or ".join(f"`{role}`" for role in sorted(route.roles))
        content = problems.problem(problems.FORBIDDEN, f"this needs the role {needed}", hint="ask the operator for it")
        return problems.answer(content)
    if route.takes is not None and (request.body or request.content_type) and not is_json(request.content_type):
        kind = problems.MEDIA_TYPE
        if route.authzen:  # certification 2.4.3 of the Authorization API 1.0 asks for 400
            kind = msgspec.structs.replace(kind, status=400)
        return problems.answer(_media_type(kind))
    return None


def _media_type(kind: Kind) -> problems.Problem:
    return problems.problem(kind, "the body is not declared as JSON", hint="send `Content-Type: application/json`")


def _request_id(raw: bytes | None) -> str | None:
    if raw is None:
        return None
    text = raw.decode("latin-1")
    if not 0 < len(text) <= MAX_REQUEST_ID_BYTES or not text.isascii() or not text.isprintable() or " " in text:
        hint = f"send 1 to {MAX_REQUEST_ID_BYTES} visible ASCII characters"
        raise InputError("X-Request-ID cannot be used", hint=hint)
    return text
