"""One request on its way to its handler, and how its body is read and its answer written."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from sealgate.model.evaluation import Identity
from sealgate.server.decoding import decode
from sealgate.server.messages import Request, Response
from sealgate.server.route import Route

encode = msgspec.json.Encoder().encode


class Call(msgspec.Struct):
    """One request on its way to its handler. ``caller`` is proven wherever the route asks for it."""

    request: Request
    route: Route
    parameters: dict[str, str]
    caller: Identity
    request_id: str | None


Handler = Callable[[Call], Awaitable[Response]]


def typed(call: Call) -> Any:
    """Return the body as what the route takes."""
    return decode(call.request.body, call.route.takes, max_bytes=call.route.max_bytes)


def empty(call: Call) -> None:
    """Refuse a body that is not what the route takes; none is needed."""
    if call.request.body:
        typed(call)
