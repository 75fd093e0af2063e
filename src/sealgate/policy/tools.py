"""Tools as MCP servers define them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sealgate.model.errors import InputError
from sealgate.model.identifiers import require_name

from . import places
from .shapes import Definitions, Record, read_object


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: its definition and the shapes of its arguments. ``places`` are the arguments offered in normal form."""

    name: str
    server: str
    input: Record
    definitions: Definitions
    output: Record | None
    output_definitions: Definitions
    annotations: Mapping[str, Any]
    places: Mapping[str, places.Argument]


def read_tool(definition: Any, server: str) -> Tool:
    """Return a tool from its MCP definition (``inputSchema`` or ``inputSchema.json``).

    Raises:
        InputError: the definition is malformed.
    """
    if not isinstance(definition, dict) or not isinstance(definition.get("name"), str):
        raise InputError(f"a tool of `{server:.80}` has no name")
    name = require_name(definition["name"], "tool name")
    given = _unwrapped(definition.get("inputSchema", definition.get("parameters", {})))
    shape, definitions = read_object(given, (name, "Input"))
    output: Record | None = None
    output_definitions: Definitions = {}
    if definition.get("outputSchema") is not None:
        output, output_definitions = read_object(_unwrapped(definition["outputSchema"]), (name, "Output"))
    annotations = definition.get("annotations") or {}
    return Tool(name, server, shape, definitions, output, output_definitions, annotations, places.find(given, name))


def _unwrapped(schema: Any) -> Mapping[str, Any]:
    inner = schema.get("json", schema) if isinstance(schema, dict) else schema
    if not isinstance(inner, dict):
        raise InputError("a tool's schema is not an object")
    return inner
