"""A Cedar schema out of MCP tool definitions, by the cedar-for-agents convention.

A *stub* says who may ask and what may be touched: entity types marked ``@mcp_principal`` and ``@mcp_resource``, common
types marked ``@mcp_context("name")`` that every call carries, and parent actions marked ``@mcp_action``. Each tool
becomes an action of the same name (any legal tool name: an action's name is a string), a common type
``<tool>Input`` with its arguments, and entity types for its enumerations.

Beyond the convention, ``context.normalized`` offers places among the arguments in normal form (``places``).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import cedarpy

from sealgate.model.errors import InputError
from sealgate.model.identifiers import require_name

from . import places
from .policy_set import first_line
from .session import PROVENANCE, SESSION
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
    read_object,
)
from .text_guard import check_schema_text

DEFAULT_STUB: Final = """\
@mcp_context("session")
@sealgate_kept("session")
type Session = {
  asked: Set<String>,
  calls: Long,
  calls_last_minute: Long,
  classes: Set<String>,
  reads: Set<String>,
  refused: Long,
  tools: Set<String>,
  untrusted_entered: Bool,
  whole: Bool,
  tool_calls?: Long,
  data_classes?: Set<String>,
  sources?: Set<String>,
  untrusted_content?: Bool,
};
@mcp_context("delegation")
type Delegation = {
  length?: Long,
  origin?: String,
};

@mcp_context("tool")
type ToolTrust = {
  trust_level?: String,
  verification_score?: Long,
  version?: String,
  publisher?: String,
};
entity Role in [Role];
@mcp_principal("Agent")
entity Agent in [Role];
@mcp_principal("User")
entity User in [Role];
@mcp_resource("McpServer")
entity McpServer;
@mcp_action("call_tool")
action "call_tool";
"""
"""The stub of a bundle that brings none: agents and users in roles, tool servers, facts.

What is optional in ``Session`` is the caller's to claim; the rest the authority keeps itself (``session``). Without a
delegation ``context.delegation`` is empty; the authority alone says what it and ``context.tool`` hold.
"""

TOOL_FACTS: Final = "tool"
"""The context that the authority fills in, from the supply chain; a stub that does not declare it goes without."""

MAX_TOOLS: Final = 2000
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_RESERVED: Final = frozenset(
    {
        *("true", "false", "if", "then", "else", "in", "is", "like", "has"),
        *("Bool", "Boolean", "Entity", "Extension", "Long", "Record", "Set", "String"),
        *("ipaddr", "decimal", "datetime", "duration"),  # legal, but a record of that name could refer to itself
    }
)
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


@dataclass(frozen=True, slots=True)
class Stub:
    """What the stub declares."""

    namespace: str
    text: str
    principals: tuple[str, ...]
    resources: tuple[str, ...]
    contexts: Mapping[str, str]
    parents: tuple[str, ...]
    types: frozenset[str]
    kept: bool = False
    """Whether the authority's own facts are part of every context: ``session`` and ``provenance``."""

    def qualified(self, name: str) -> str:
        """Return a type's full name."""
        return f"{self.namespace}::{name}" if self.namespace else name


@dataclass(slots=True)
class _Names:
    """Gives each path a legal, unique type name."""

    stub: Stub
    flatten: bool
    taken: dict[tuple[str, str], Path] = field(default_factory=dict)

    def of(self, path: Path) -> tuple[str, str]:
        """Return (namespace, name) for a path."""
        parts = [legal_identifier(part) for part in path]
        if self.flatten:
            space, name = self.stub.namespace, "_".join(parts)
        else:
            space, name = "::".join([*filter(None, [self.stub.namespace]), *parts[:-1]]), parts[-1]
            if not self.stub.namespace and name in self.stub.types:
                name = f"{name}_{_short_hash(path[-1])}"  # Cedar forbids a name that shadows one outside namespaces
        if self.taken.setdefault((space, name), path) != path:
            name = f"{name}_{_short_hash('/'.join(path))}"
            self.taken[space, name] = path
        return space, name

    def qualified(self, path: Path) -> str:
        """Return the full type name for a path."""
        space, name = self.of(path)
        return f"{space}::{name}" if space else name


def legal_identifier(name: str) -> str:
    """Return ``name`` where it is a Cedar identifier, else a readable identifier that only this name gets."""
    if _IDENTIFIER.fullmatch(name) and name not in _RESERVED and not name.startswith("__"):
        return name
    readable = re.sub(r"[^A-Za-z0-9]", "_", name, flags=re.ASCII)[:40]
    return f"t_{readable}_{_short_hash(name)}"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def cedar_string(text: str) -> str:
    """Return ``text`` as a Cedar string literal."""
    escaped = "".join(char if char.isprintable() and char not in '"\\' else f"\\u{{{ord(char):x}}}" for char in text)
    return f'"{escaped}"'


_ANNOTATION: Final = re.compile(
    r'@(?:mcp_(?=[prca])|sealgate_(?=k))(principal|resource|context|action|kept)\("((?:[^"\\]|\\.)*)"\)'
)
_DECLARED: Final = re.compile(r'(?:entity|type|action)\s+(?:"((?:[^"\\]|\\.)*)"|([A-Za-z_][A-Za-z0-9_]*))')


def read_stub(text: str) -> Stub:
    """Return what a stub declares.

    Raises:
        InputError: not a Cedar schema, more than one namespace, or no principal or resource type.
    """
    check_schema_text(text)
    try:
        printed = str(cedarpy.Schema.from_str(text))
    except ValueError as error:
        raise InputError(f"stub is not a Cedar schema: {first_line(error)}") from error
    spaces = re.findall(r"^namespace ([A-Za-z0-9_:]+) \{$", printed, re.MULTILINE)
    outside = re.search(r"^(entity|type|action|@)", printed, re.MULTILINE)
    if len(spaces) + bool(outside) > 1:
        raise InputError("stub has more than one namespace", hint="declare everything in one")
    # The engine prints one declaration per line, annotations above it; nothing else starts a line like this.
    pending: list[tuple[str, str]] = []
    found: dict[str, dict[str, str]] = {"principal": {}, "resource": {}, "context": {}, "action": {}, "kept": {}}
    types = set()
    for line in printed.splitlines():
        stripped = line.strip()
        if annotation := _ANNOTATION.fullmatch(stripped):
            pending.append((annotation[1], annotation[2]))
        elif declared := _DECLARED.match(stripped):
            name = declared[1] if declared[1] is not None else declared[2]
            for kind, value in pending:
                found[kind][value if kind == "context" else name] = name
            pending.clear()
            if not stripped.startswith("action"):
                types.add(name)
    if not found["principal"] or not found["resource"]:
        raise InputError("stub marks no principal or no resource", hint="mark types @mcp_principal and @mcp_resource")
    return Stub(
        spaces[0] if spaces else "",
        printed,
        tuple(found["principal"]),
        tuple(found["resource"]),
        found["context"],
        tuple(found["action"]),
        frozenset(types),
        _keeps(found["kept"], found["context"]),
    )


def _keeps(marked: Mapping[str, str], contexts: Mapping[str, str]) -> bool:
    if not marked:
        return False
    if list(marked) != [contexts.get(SESSION)] or PROVENANCE in contexts:
        raise InputError(
            "the stub marks a type as kept that is not the context `session`",
            hint='write @mcp_context("session") and @sealgate_kept("session") above one type',
        )
    return True


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
        self.names = _Names(stub, options.flatten)
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
