"""A set of policies: parsed once, each with a stable id, its annotations and its text.

The engine names policies by position (``policy0``), which changes when a file is edited. Here an id is the ``@id``
annotation, or ``<file stem>#<n>`` where there is none. The JSON form of a policy (``tree``) serves analysis; the
engine is always given the text, whose chains are not bounded by a JSON reader's depth.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import cedarpy
import orjson

from sealgate.model.errors import InputError

from .text_guard import Statement, split_policies

MAX_POLICIES: Final = 20_000
"""Policies in one set."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy or template. ``tree`` is the engine's JSON form, ``line`` where it starts in its ``source``."""

    id: str
    text: str
    tree: Mapping[str, Any]
    source: str = ""
    line: int = 1
    is_template: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def forbids(self) -> bool:
        """Whether this is a forbid."""
        return bool(self.tree["effect"] == "forbid")


@dataclass(frozen=True, slots=True)
class Link:
    """A template filled in: ``values`` maps ``?principal`` and ``?resource`` to entities."""

    id: str
    template: str
    values: Mapping[str, tuple[str, str]]


def parse_policies(text: str, source: str) -> list[Policy]:
    """Return the policies of one text, guarded against what would crash the engine.

    Raises:
        InputError: a bound is exceeded, or the engine refuses a policy; the message names the line.
    """
    return [_parse(statement, source, number) for number, statement in enumerate(split_policies(text))]


def _parse(statement: Statement, source: str, number: int) -> Policy:
    where = f"{source}, line {statement.line}" if source else f"line {statement.line}"
    try:
        parsed = orjson.loads(cedarpy.policies_to_json_str(statement.text))
    except ValueError as error:
        raise InputError(f"{where}: not a Cedar policy: {first_line(error)}") from error
    found = [(tree, False) for tree in parsed["staticPolicies"].values()]
    found += [(tree, True) for tree in parsed["templates"].values()]
    if len(found) != 1:
        raise InputError(f"{where}: a statement holds {len(found)} policies", hint="end each policy with `;`")
    tree, is_template = found[0]
    annotations = {name: value or "" for name, value in tree.get("annotations", {}).items()}
    policy_id = annotations.get("id") or f"{source}#{number}"
    return Policy(policy_id, statement.text, tree, source, statement.line, is_template, annotations)


def first_line(error: BaseException) -> str:
    """Return the first line of a foreign error's text, shortened: our messages are one line."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def require_unique(policies: Iterable[Policy]) -> dict[str, Policy]:
    """Return the policies by id.

    Raises:
        InputError: an id appears twice, or there are too many.
    """
    by_id: dict[str, Policy] = {}
    for policy in policies:
        if policy.id in by_id:
            raise InputError(
                f"policy id `{policy.id}` appears twice ({by_id[policy.id].source} and {policy.source})",
                hint="give each policy its own @id",
            )
        by_id[policy.id] = policy
    if len(by_id) > MAX_POLICIES:
        raise InputError(f"{len(by_id)} policies in one set", hint=f"at most {MAX_POLICIES} are allowed")
    return by_id
