"""The stub of a schema: who may ask, what may be touched, and what every call carries beside its arguments.

Entity types are marked ``@mcp_principal`` and ``@mcp_resource``, common types ``@mcp_context("name")``, parent actions
``@mcp_action`` (cedar-for-agents); ``@sealgate_kept`` marks what the authority itself keeps.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cedarpy

from sealgate.model.errors import InputError

from .policy_set import first_line
from .session import PROVENANCE, SESSION
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
