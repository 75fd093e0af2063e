"""Lint: policies that load and still do not mean what their author thinks.

Each check is a function from a policy and its surroundings to findings. A check speaks only where it is sure enough to
be worth reading: it looks at the syntax tree, knows the tools and the limits, and evaluates nothing.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from .conditions import attribute_path, impossible, paths, patterns
from .decision_point import DecisionPoint
from .policy_set import Policy
from .risk import risk_of
from .slicing import ANY, Key, scope_keys
from .tools import Tool
from .type_names import cedar_string

Severity = Literal["error", "warning", "info"]
RANK: Final[Mapping[str, int]] = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at: which check, how bad, where, what, and what to do about it."""

    check: str
    severity: Severity
    policy: str
    source: str
    line: int
    message: str
    hint: str

    def as_json(self) -> dict[str, Any]:
        """Return the finding as one flat object."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a check may know beside the policy."""

    point: DecisionPoint
    forbids: tuple[Policy, ...]

    def tools_of(self, policy: Policy) -> list[Tool]:
        """Return the tools that a policy's scope can mean."""
        keys = {action for _, action, _ in scope_keys(policy.tree)}
        tools = self.point.tools
        if ANY in keys or any(kind == "in" and name in self.point.stub.parents for kind, _, name in keys):
            return list(tools.values())
        return [tools[name] for _, _, name in keys if name in tools]

    def has_limit(self, tool: Tool) -> bool:
        """Tell whether a limit bounds an argument, a sum or the number of calls of this tool."""
        return any(not limit.actions or tool.name in limit.actions for limit in self.point.limits)


Check = Callable[[Policy, Surroundings], Iterator[Finding]]


def lint(point: DecisionPoint) -> list[Finding]:
    """Return every finding of a policy set, the worst first."""
    policies = tuple(point.policies.values())
    surroundings = Surroundings(point, tuple(policy for policy in policies if policy.forbids))
    found = [finding for policy in policies for check in CHECKS for finding in check(policy, surroundings)]
    return sorted(found, key=lambda finding: (RANK[finding.severity], finding.source, finding.line, finding.check))


def _finding(check: str, severity: Severity, policy: Policy, message: str, hint: str) -> Finding:
    return Finding(check, severity, policy.id, policy.source, policy.line, message, hint)


def _unanchored(policy: Policy, _: Surroundings) -> Iterator[Finding]:
    """A permit whose pattern starts with ``*`` matches wherever the text stands, in a path or a list of scopes."""
    if policy.forbids:
        return
    for path, pattern in patterns(policy.tree):
        if pattern.startswith("*") and pattern.strip("*"):
            yield _finding(
                "unanchored-pattern", "warning", policy,
                f'`{path} like "{pattern}"` is not anchored: the text may stand anywhere',
                "start the pattern with the text; compare scopes with a set and `contains`",
            )  # fmt: skip


def _open_ended(policy: Policy, _: Surroundings) -> Iterator[Finding]:
    """``/data*`` also matches ``/database``, and ``https://good.example*`` matches ``https://good.example.evil``."""
    if policy.forbids:
        return
    for path, pattern in patterns(policy.tree):
        stem = pattern.removesuffix("*")
        is_place = "/" in stem and " " not in stem
        if is_place and stem != pattern and "*" not in stem and not stem.endswith(("/", "?", "=", "#")):
            yield _finding(
                "open-ended-prefix", "warning", policy,
                f'`{path} like "{pattern}"` also matches names that only begin like it',
                f'end the prefix at a border: "{stem}/*"',
            )  # fmt: skip


_UNNAMED: Final = re.compile(r"typeChoice[0-9]+|proj[0-9]+", re.ASCII)
"""What the engine's records of alternatives and tuples call their members; places go without (``places``)."""


def _raw_place(policy: Policy, surroundings: Surroundings) -> Iterator[Finding]:
    """A prefix rule on the argument as sent can be walked around with ``..``, escapes or a user name."""
    offered = {name: place for tool in surroundings.tools_of(policy) for name, place in tool.places.items()}
    for path, pattern in patterns(policy.tree):
        if not path.startswith("context.input."):
            continue
        steps = path.removeprefix("context.input.").split(".")
        place = offered.get(".".join(step for step in steps if not _UNNAMED.fullmatch(step)))
        if place is not None:
            hint = f"use `context.normalized[{cedar_string(place.name)}]`: its `.path`, `.text` or `.host`"
            hint = hint if not place.many else hint.replace("`.path`, `.text` or `.host`", "`.under` or `.hosts`")
        elif path.endswith("[…]") and "/" in pattern:
            hint = "name the member in the tool's definition; objects with free keys have no normal forms"
        else:
            continue
        yield _finding(
            "raw-place", "warning", policy,
            f'`{path} like "{pattern}"` judges the text as sent; `..` or escapes walk around it',
            hint,
        )  # fmt: skip


def _never(policy: Policy, _: Surroundings) -> Iterator[Finding]:
    """Conditions that contradict each other or themselves."""
    why = impossible(policy.tree)
    if why:
        yield _finding("never-matches", "error", policy, f"this rule can never match: {why}", "remove or correct it")


def _unreachable(policy: Policy, surroundings: Surroundings) -> Iterator[Finding]:
    """A permit under a forbid that has no condition and a scope at least as wide."""
    if policy.forbids:
        return
    for forbid in surroundings.forbids:
        if not forbid.tree["conditions"] and _covers(forbid, policy):
            yield _finding(
                "unreachable", "error", policy,
                f"`{forbid.id}` forbids without a condition everything that this permits",
                "narrow the forbid or remove this permit",
            )  # fmt: skip


def _covers(wide: Policy, narrow: Policy) -> bool:
    def part(wide_key: Key, narrow_key: Key) -> bool:
        same_entity = wide_key[0] == "in" and narrow_key[0] in ("in", "==") and wide_key[1:] == narrow_key[1:]
        return wide_key in (ANY, narrow_key) or same_entity

    # `is T in E` is indexed by E alone, which is wider than it means, so it cannot prove anything here.
    if any("in" in wide.tree[name] and wide.tree[name]["op"] == "is" for name in ("principal", "resource")):
        return False
    wides = list(scope_keys(wide.tree))
    return all(any(all(map(part, keys, own)) for keys in wides) for own in scope_keys(narrow.tree))


_ABOUT_ARGUMENTS: Final = ("context.input.", "context.normalized.", "context.provenance.")
"""Where an argument came from bounds it as well as what it is."""


def _irreversible(policy: Policy, surroundings: Surroundings) -> Iterator[Finding]:
    """A permit for an action that cannot be undone, with no bound on what it is done with."""
    if policy.forbids:
        return
    read = {path for path in paths(policy.tree) if path.startswith(_ABOUT_ARGUMENTS)}
    for tool in surroundings.tools_of(policy):
        why = risk_of(tool)
        names = {attribute_path(path) for path in read}
        if why and not names & tool.input.attributes.keys() and not surroundings.has_limit(tool):
            severity: Severity = "error" if tool.input.attributes else "warning"
            yield _finding(
                "irreversible-unbounded", severity, policy,
                f"permits `{tool.name}` ({why}) with any arguments",
                "bound an argument in a `when`, or add a limit: on an argument, a sum or the calls a day",
            )  # fmt: skip


def _broad(policy: Policy, _: Surroundings) -> Iterator[Finding]:
    """A permit that names nobody and nothing."""
    if policy.forbids:
        return
    open_parts = [name for name in ("principal", "action", "resource") if policy.tree[name]["op"] == "All"]
    if len(open_parts) == 3 and not policy.tree["conditions"]:
        yield _finding("broad-permit", "error", policy, "permits everything to everyone", "name who may do what")
    elif "principal" in open_parts and "action" in open_parts:
        message = "permits every action to every principal, as far as its condition goes"
        yield _finding("broad-permit", "warning", policy, message, "name the principal or the action in the scope")


def _no_id(policy: Policy, _: Surroundings) -> Iterator[Finding]:
    """Without ``@id`` a policy's name changes when a policy is added above it."""
    if not policy.annotations.get("id"):
        message = f"has no @id, so it is called `{policy.id}` only until the file is edited"
        yield _finding("missing-id", "info", policy, message, 'add @id("…")')


CHECKS: Final[Sequence[Check]] = (
    _unanchored, _open_ended, _raw_place, _never, _unreachable, _irreversible, _broad, _no_id,
)  # fmt: skip
