"""HTTP headers of MCP that repeat what the body says, for readers on the way that do not read bodies. Pure.

A header that says something else than the body is how a call is smuggled past such a reader, so each is compared, and
what is forwarded gets headers made anew from the body.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sealgate.gateway.envelope import Envelope
from sealgate.gateway.methods import CALL, MODERN_KEY
from sealgate.model.errors import InputError

VERSION: Final = "mcp-protocol-version"
METHOD: Final = "mcp-method"
NAME: Final = "mcp-name"
SESSION: Final = "mcp-session-id"
PARAMETER: Final = "mcp-param-"
MISMATCH: Final = -32020

_NAMED_BY: Final = {CALL: "name", "prompts/get": "name", "resources/read": "uri"}
_WRAPPED: Final = re.compile(r"=\?base64\?(.*)\?=")
_PLAIN: Final = re.compile(r"[\x20-\x7E]*")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ANNOTATION: Final = "x-mcp-header"


class HeaderMismatch(InputError):  # noqa: N818  # reads as the fact it states
    """A header contradicts the body, or is missing."""


def encode(value: str) -> str:
    """Return a text as a header's value; what a header cannot carry is wrapped in base64."""
    if _PLAIN.fullmatch(value) and value == value.strip() and not _WRAPPED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def decode(value: str) -> str | None:
    """Return the text of a header's value, or None where it is malformed."""
    wrapped = _WRAPPED.fullmatch(value)
    if wrapped is None:
        return value
    try:
        data = base64.b64decode(wrapped[1], validate=True)
        return data.decode() if base64.b64encode(data).decode() == wrapped[1] else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def require_single(names: Iterable[bytes]) -> None:
    """Refuse a header of ours that comes twice: two readers could each take another one.

    Raises:
        HeaderMismatch: one does.
    """
    seen: set[bytes] = set()
    for name in names:
        if name in seen and (name.startswith(b"mcp-") or name in (b"authorization", b"host", b"origin")):
            raise HeaderMismatch(f"the header `{name.decode('latin-1')[:64]}` comes twice")
        seen.add(name)


def require_match(message: Envelope, headers: Mapping[str, str]) -> None:
    """Compare the headers of a request of the protocol without sessions with its body.

    Raises:
        HeaderMismatch: one is missing or says something else.
    """
    if headers.get(VERSION) is None or headers[VERSION] != message.meta.get(MODERN_KEY):
        raise HeaderMismatch(f"the header `{VERSION}` is not what the body says")
    if headers.get(METHOD) != message.method:
        raise HeaderMismatch(f"the header `{METHOD}` is not what the body says")
    member = _NAMED_BY.get(message.method)
    if member is not None and isinstance(message.params.get(member), str):
        given = headers.get(NAME)
        if given is None or decode(given) != message.params[member]:
            raise HeaderMismatch(f"the header `{NAME}` is not what the body says")


def require_parameters(schema: object, arguments: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    """Compare the headers that repeat arguments of a tool call with the arguments.

    Raises:
        HeaderMismatch: one is missing, says something else, or repeats what is not there.
    """
    for path, token, kind in _annotated(schema, ()):
        given, value = headers.get(PARAMETER + token.lower()), _at(arguments, path)
        said = None if given is None else decode(given)
        if (given is None) != (value is None) or (value is not None and not _same(said, value, kind)):
            raise HeaderMismatch(f"the header `{PARAMETER}{token.lower()}` is not what the body says")


def made(message: Envelope, version: str, schema: object = None) -> dict[str, str]:
    """Return the headers of a request or notification that is forwarded, made from its body."""
    result = {VERSION: version} if version else {}
    if MODERN_KEY not in message.meta:
        return result
    result[METHOD] = message.method
    member = _NAMED_BY.get(message.method)
    if member is not None and isinstance(message.params.get(member), str):
        result[NAME] = encode(message.params[member])
    if message.method.startswith("tasks/") and isinstance(message.params.get("taskId"), str):
        result[NAME] = encode(message.params["taskId"])
    arguments = message.params.get("arguments")
    if isinstance(arguments, dict):
        for path, token, _ in _annotated(schema, ()):
            value = _at(arguments, path)
            if value is not None:
                result[PARAMETER + token.lower()] = encode(_shown(value))
    return result


def _annotated(schema: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return
    for name, item in properties.items():
        if not isinstance(item, dict):
            continue
        token = item.get(_ANNOTATION)
        if isinstance(token, str) and _TOKEN.fullmatch(token) and item.get("type") in ("string", "integer", "boolean"):
            yield (*path, name), token, item["type"]
        yield from _annotated(item, (*path, name))


def _at(arguments: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    node: Any = arguments
    for name in path:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node if isinstance(node, (str, int, float)) else None


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _same(said: str | None, value: Any, kind: str) -> bool:
    if said == _shown(value):
        return True
    if said is None or kind != "integer" or isinstance(value, (bool, str)):
        return False
    whole, _, fraction = said.partition(".")
    return whole.lstrip("-").isdecimal() and not fraction.strip("0") and int(whole) == value
