"""The policy bundle: one JSON value that says everything the decision point knows, named by its digest.

``format`` is ``sealgate-policy/v1``; ``schema`` a stub (see ``schema``) or null for the default one; ``policies`` a
list of ``{"id": <file stem>, "text": <Cedar>}``; ``tools`` a list of ``{"server", "tools": [<definition>, …]}``;
``limits`` a list of rules (see ``limits``); ``entities`` a list of Cedar entities. The policy version is
``sha256:<hex>`` of the canonical bytes, in which tool schemas keep their own keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sealgate.encoding import canonical
from sealgate.model.errors import InputError

FORMAT: Final = "sealgate-policy/v1"
MAX_BUNDLE_BYTES: Final = 16 * 1024 * 1024
MAX_BUNDLE_DEPTH: Final = 48
"""Nesting of a bundle: tool schemas are deeper than requests."""

_MEMBERS: Final = frozenset({"format", "schema", "policies", "tools", "limits", "entities"})

Json = Any


@dataclass(frozen=True, slots=True)
class Source:
    """One policy file: its stem and its text."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A parsed bundle. ``version`` is its digest."""

    version: str
    schema: str | None
    sources: tuple[Source, ...]
    tools: tuple[tuple[str, Json], ...]
    limits: tuple[Mapping[str, Json], ...]
    entities: tuple[Mapping[str, Json], ...]


def encode(bundle: Mapping[str, Json]) -> bytes:
    """Return the canonical bytes of a bundle.

    Raises:
        InputError: it is not a JSON value that has a canonical form.
    """
    return canonical.encode_arguments(dict(bundle), max_bytes=MAX_BUNDLE_BYTES, max_depth=MAX_BUNDLE_DEPTH)


def digest(data: bytes) -> str:
    """Return the policy version of a bundle's canonical bytes."""
    return "sha256:" + canonical.sha256(data).hex()


def read(bundle: bytes | Mapping[str, Json]) -> Bundle:
    """Return a bundle from its bytes (which must be strict JSON) or its value.

    Raises:
        InputError: not strict JSON, unknown or malformed members.
    """
    value = (
        canonical.parse(bundle, max_bytes=MAX_BUNDLE_BYTES, max_depth=MAX_BUNDLE_DEPTH)
        if isinstance(bundle, bytes)
        else bundle
    )
    if not isinstance(value, Mapping) or value.get("format") != FORMAT:
        raise InputError(f"not a policy bundle of format `{FORMAT}`")
    unknown = sorted(set(value) - _MEMBERS)
    if unknown:
        raise InputError(f"bundle has an unknown member `{unknown[0]!s:.80}`")
    schema = value.get("schema")
    if schema is not None and not isinstance(schema, str):
        raise InputError("bundle's `schema` is not a text", hint="give the stub in Cedar's schema syntax, or null")
    return Bundle(
        digest(encode(value)),
        schema,
        tuple(_source(item) for item in _list(value, "policies")),
        tuple(tool for item in _list(value, "tools") for tool in _server(item)),
        tuple(_objects(value, "limits")),
        tuple(_objects(value, "entities")),
    )


def _list(value: Mapping[str, Json], member: str) -> list[Json]:
    items = value.get(member, [])
    if not isinstance(items, list):
        raise InputError(f"bundle's `{member}` is not a list")
    return items


def _objects(value: Mapping[str, Json], member: str) -> list[Mapping[str, Json]]:
    items = _list(value, member)
    if not all(isinstance(item, dict) for item in items):
        raise InputError(f"bundle's `{member}` holds something that is not an object")
    return items


def _source(item: Json) -> Source:
    match item:
        case {"id": str() as stem, "text": str() as text, **rest} if stem and not rest:
            return Source(stem, text)
    raise InputError("a policy of the bundle is not `{id, text}`")


def _server(item: Json) -> list[tuple[str, Json]]:
    match item:
        case {"server": str() as server, "tools": list() as tools}:
            return [(server, tool) for tool in tools]
    raise InputError("a tool list of the bundle is not `{server, tools}`")
