"""A Cedar schema out of MCP tool definitions, by the cedar-for-agents convention.

A *stub* says who may ask and what may be touched: entity types marked ``@mcp_principal`` and ``@mcp_resource``, common
types marked ``@mcp_context("name")`` that every call carries, and parent actions marked ``@mcp_action``. Each tool
becomes an action of the same name (any legal tool name: an action's name is a string), a common type
``<tool>Input`` with its arguments, and entity types for its enumerations.

Beyond the convention, ``context.normalized`` offers places among the arguments in normal form (``places``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import cedarpy

from sealgate.model.errors import InputError

from .policy_set import first_line
from .session import PROVENANCE
from .shapes import (
    Array,
    Definitions,
    Dictionary,
    Enumeration,
    Path,
    Record,
    Reference,
    Scalar,
    Shape,
    Tuple,
    Union,
)
from .stub import Stub
from .tools import Tool
from .type_names import Names, cedar_string, legal_identifier

MAX_TOOLS: Final = 2000
_OPAQUE: Final = frozenset({"Number", "Float", "Null", "Unknown"})


@dataclass(frozen=True, slots=True)
class Options:
    """Choices the convention leaves open.

    The decision point uses records and decimals, so that no argument needs an entity and amounts can be compared.
    """

    objects_as_records: bool = True
    numbers_as_decimal: bool = True
    flatten: bool = False
    include_outputs: bool = False
    normalized: bool = True


def generate(stub: Stub, tools: Iterable[Tool], options: Options = Options()) -> str:  # frozen
    """Return the schema text: the stub, and for every tool its action and types.

    Raises:
        InputError: two tools have one name, or there are too many.
    """
    writer = _Writer(stub, options)
    seen: dict[str, str] = {}
    for tool in tools:
        if tool.name in seen:
            raise InputError(
                f"tool `{tool.name}` is offered by `{seen[tool.name]}` and `{tool.server}`",
                hint="rename one, for example `<server>___<tool>`",
            )
        seen[tool.name] = tool.server
        writer.add(tool)
    if len(seen) > MAX_TOOLS:
        raise InputError(f"{len(seen)} tools in one bundle", hint=f"at most {MAX_TOOLS} are allowed")
    return writer.text()


class _Writer:
    def __init__(self, stub: Stub, options: Options) -> None:
        self.stub = stub
        self.options = options
        self.names = Names(stub, options.flatten)
        self.root: list[str] = []
        self.spaces: dict[str, list[str]] = {}
        self.opaque: set[str] = set()

    def add(self, tool: Tool) -> None:
        """Declare one tool."""
        members = [f"input: {self._top(tool, tool.input, tool.definitions, 'Input')}"]
        if self.options.include_outputs and tool.output is not None:
            members.append(f"output?: {self._top(tool, tool.output, tool.output_definitions, 'Output')}")
        members += [f"{cedar_string(name)}: {type_name}" for name, type_name in self.stub.contexts.items()]
        if self.options.normalized and tool.places:
            offered = (
                f"{cedar_string(name)}{'' if place.required else '?'}: {place.type}"
                for name, place in tool.places.items()
            )
            members.append(f"normalized: {{ {', '.join(offered)} }}")
        if self.stub.kept:
            origins = (
                f"{cedar_string(name)}{'' if item.required else '?'}: Set<String>"
                for name, item in tool.input.attributes.items()
            )
            members.append(f"{PROVENANCE}: {{ {', '.join(origins)} }}")
        parents = ", ".join(f"Action::{cedar_string(parent)}" for parent in self.stub.parents)
        self.root.append(
            f"action {cedar_string(tool.name)}{f' in [{parents}]' if parents else ''} appliesTo {{ "
            f"principal: [{', '.join(self.stub.principals)}], resource: [{', '.join(self.stub.resources)}], "
            f"context: {{ {', '.join(members)} }} }};"
        )

    def _top(self, tool: Tool, shape: Record, definitions: Definitions, part: str) -> str:
        for path, definition in definitions.items():
            self._define(path, definition)
        name = legal_identifier(tool.name) + part
        while name in self.stub.types:
            name += "_"
        self.root.append(f"type {name} = {self._record(shape)};")
        return name

    def _define(self, path: Path, shape: Shape) -> None:
        if isinstance(shape, (Record, Enumeration, Dictionary)):
            self._type(shape)
            return
        space, name = self.names.of(path)
        self._declare(space, f"type {name} = {self._type(shape)};")

    def _declare(self, space: str, declaration: str) -> None:
        lines = self.root if space == self.stub.namespace else self.spaces.setdefault(space, [])
        if declaration not in lines:
            lines.append(declaration)

    def _record(self, shape: Record) -> str:
        members = (
            f"{cedar_string(name)}{'' if item.required else '?'}: {self._type(item.shape)}"
            for name, item in shape.attributes.items()
        )
        return f"{{ {', '.join(members)} }}"

    def _type(self, shape: Shape) -> str:
        match shape:
            case Scalar(name):
                return self._scalar(name)
            case Enumeration(path, variants):
                space, name = self.names.of(path)
                self._declare(space, f"entity {name} enum [{', '.join(map(cedar_string, variants))}];")
                return self.names.qualified(path)
            case Record(path):
                return self._named_record(shape, path)
            case Dictionary(path, value):
                space, name = self.names.of(path)
                self._declare(space, f"entity {name} tags {self._type(value)};")
                return self.names.qualified(path)
            case Array(item):
                return f"Set<{self._type(item)}>"
            case Tuple(items):
                return f"{{ {', '.join(f'proj{n}: {self._type(item)}' for n, item in enumerate(items))} }}"
            case Union(choices):
                return f"{{ {', '.join(f'typeChoice{n}?: {self._type(item)}' for n, item in enumerate(choices))} }}"
            case Reference(path):
                return self.names.qualified(path)

    def _scalar(self, name: str) -> str:
        if name in ("Number", "Float") and self.options.numbers_as_decimal:
            return "decimal"
        if name not in _OPAQUE:
            return name
        self.opaque.add(name)
        return self.stub.qualified(name)

    def _named_record(self, shape: Record, path: Path) -> str:
        space, name = self.names.of(path)
        if self.options.objects_as_records:
            self._declare(space, f"type {name} = {self._record(shape)};")
        else:
            body = f" = {self._record(shape)}" if shape.attributes else ""
            self._declare(space, f"entity {name}{body};")
        return self.names.qualified(path)

    def text(self) -> str:
        """Return the whole schema."""
        root = [*self.root, *(f"entity {name};" for name in sorted(self.opaque - self.stub.types))]
        if self.stub.namespace:
            head, _, tail = self.stub.text.rpartition("}")
            text = "\n".join([head, *root, "}", tail])
        else:
            text = "\n".join([self.stub.text, *root])
        nested = (f"namespace {space} {{\n" + "\n".join(lines) + "\n}" for space, lines in self.spaces.items())
        return "\n".join([text, *nested]) + "\n"


def parse_schema(text: str) -> cedarpy.Schema:
    """Return the engine's schema handle.

    Raises:
        InputError: the engine refuses it.
    """
    try:
        return cedarpy.Schema.from_str(text)
    except ValueError as error:
        raise InputError(f"schema does not load: {first_line(error)}") from error
