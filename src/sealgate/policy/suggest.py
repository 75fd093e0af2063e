"""Proposes a least-privilege policy set from tools, task descriptions and benign runs. Pure and deterministic.

The recipe, in order; what no step permits stays silent:

1. every tool is classified (``tool_classes``): it reads, writes, or cannot be undone;
2. a tool is permitted only if a task could need it: a task speaks of what the tool is about, or asks for what it
   does, or a benign run used it. What cannot be undone needs both words in one task, or a run;
3. what cannot be undone runs only where the person's request of the task at hand asks for it;
4. where something goes (recipients, accounts, addresses) must be spelled out by the person or by a trusted system;
5. what grants access (passwords, keys) must be spelled out by the person;
6. amounts are bounded by twice the largest that a task names or a run used; what cannot be undone is counted.

It is a proposal: every rule says why it is there, and what was left out is said too.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from .session import asked_for
from .stub import Stub
from .tool_classes import Argument, ToolClass, classify, stem
from .tools import Tool
from .type_names import cedar_string

Json = Any

_WORD: Final = re.compile(r"[a-z]+")
_NUMBER: Final = re.compile(r"(?<![\w.-])[0-9]{1,12}(?:\.[0-9]{1,4})?(?![\w-])")
_GROWTH: Final = 2
_GOOD: Final = '["person", "trusted"]'


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a benign run made."""

    tool: str
    arguments: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Task:
    """A task description: its words, and the verbs it asks for."""

    text: str
    words: frozenset[str]
    verbs: frozenset[str]

    @classmethod
    def of(cls, text: str) -> "Task":
        """Return a task from its description."""
        return cls(text, frozenset(map(stem, _WORD.findall(text.lower()))), frozenset(asked_for(text)))


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What is proposed: policies by file stem, ``[[limit]]`` tables, tests, and what was left out and why."""

    policies: Mapping[str, str]
    limits: tuple[Mapping[str, Json], ...]
    tests: tuple[Mapping[str, Json], ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Rule:
    tool: ToolClass
    why: str


def suggest(
    stub: Stub,
    tools: Sequence[tuple[Tool, Mapping[str, Json]]],
    tasks: Iterable[str],
    runs: Sequence[Sequence[Call]],
    *,
    agent: str,
) -> Suggestion:
    """Return the proposal for one agent."""
    writer = _Writer(stub, [Task.of(text) for text in tasks], runs, agent)
    for tool, definition in tools:
        writer.take(classify(tool, definition))
    return writer.suggestion()


class _Writer:
    def __init__(self, stub: Stub, tasks: list[Task], runs: Sequence[Sequence[Call]], agent: str) -> None:
        self._stub, self._tasks, self._runs, self._agent = stub, tasks, runs, agent
        self._used = Counter(call.tool for run in runs for call in run)
        self._permits: list[_Rule] = []
        self._left_out: dict[str, str] = {}

    def take(self, tool: ToolClass) -> None:
        """Decide whether a task could need a tool."""
        used = self._used[tool.tool.name]
        if used:
            self._permits.append(_Rule(tool, f"{used} calls of benign runs used it"))
            return
        for task in self._tasks:
            about, does = tool.nouns & task.words, tool.verbs & task.verbs
            if (about and does) or (tool.effect != "irreversible" and (about or (does and tool.effect == "write"))):
                said = sorted(about) or sorted(does)
                self._permits.append(_Rule(tool, f"a task speaks of `{said[0]}`"))
                return
        self._left_out[tool.tool.name] = "no task speaks of it and no benign run used it"

    def suggestion(self) -> Suggestion:
        """Return what was collected."""
        return Suggestion(
            {"permits": self._permit_text(), "guards": self._guard_text()},
            tuple(self._limits()),
            tuple(self._tests()),
            self._left_out,
        )

    def _permit_text(self) -> str:
        head = [
            "// Proposed by `sealgate policy suggest`: what a task could need, and nothing else.",
            *(f"// Not permitted: {name} ({why})." for name, why in sorted(self._left_out.items())),
        ]
        if not self._permits:
            head.append('@id("suggested.nothing")')
            head.append("forbid (principal, action, resource);")
        return "\n".join([*head, *(self._permit(rule) for rule in self._permits)]) + "\n"

    def _permit(self, rule: _Rule) -> str:
        tool = rule.tool
        counts = f"It counts as {_COUNTS_AS[tool.effect]}: {tool.why}."
        lines = ["", f"// {tool.tool.name} is permitted because {rule.why}. {counts}"]
        conditions = []
        if tool.effect == "irreversible":
            verbs = ", ".join(cedar_string(verb) for verb in sorted(tool.verbs))
            lines.append("// It runs only where the person's own request asks for it.")
            conditions.append(f"context.session.asked.containsAny([{verbs}])")
        for guarded, argument, test, _ in self._guards():
            if guarded is tool and argument.required:
                conditions.append(_spelled(argument, test))
        together = " &&\n  ".join(conditions)
        when = f"\nwhen {{\n  {together}\n}};" if conditions else ";"
        return "\n".join([*lines, f'@id("suggested.{tool.tool.name}")', f"permit ({self._scope(tool)}){when}"])

    def _scope(self, tool: ToolClass) -> str:
        principal = f"{self._stub.qualified(self._stub.principals[0])}::{cedar_string(self._agent)}"
        resource = f"{self._stub.qualified(self._stub.resources[0])}::{cedar_string(tool.tool.server)}"
        return f"principal == {principal}, {self._action(tool)}, resource == {resource}"

    def _action(self, tool: ToolClass) -> str:
        return f"action == {self._stub.qualified('Action')}::{cedar_string(tool.tool.name)}"

    def _guards(self) -> Iterable[tuple[ToolClass, Argument, str, str]]:
        for rule in self._permits:
            for argument in rule.tool.of("destination"):
                if rule.tool.effect != "read" or _LEAVES.search(argument.name):
                    yield rule.tool, argument, f"containsAny({_GOOD})", _WHY_DESTINATION
            if rule.tool.effect != "read":
                for argument in rule.tool.of("secret"):
                    yield rule.tool, argument, 'contains("person")', _WHY_GRANTING

    def _guard_text(self) -> str:
        lines = ["// Proposed by `sealgate policy suggest`: what holds whatever a permit says, also one added later."]
        for tool, argument, test, why in self._guards():
            name = cedar_string(argument.name)
            spelled = _spelled(argument, test)
            there = f"context.input has {name} && context.provenance has {name}"
            when = "" if argument.required else f"\nwhen {{ {there} }}"
            lines += [
                "",
                f"// `{argument.name}` of {tool.tool.name}: {why}",
                f'@id("suggested.{tool.tool.name}.{argument.name}-unproven")',
                f"forbid (principal, {self._action(tool)}, resource){when}",
                f"unless {{ {spelled} }};",
            ]
        return "\n".join(lines) + "\n"

    def _limits(self) -> Iterable[Mapping[str, Json]]:
        for rule in self._permits:
            tool = rule.tool
            if tool.effect == "read":
                continue
            for argument in tool.of("amount"):
                largest = self._largest(tool.tool.name, argument.name)
                if largest is not None:
                    yield {
                        "id": f"suggested.{tool.tool.name}.{argument.name}",
                        "action": tool.tool.name,
                        "argument": argument.name,
                        "min": "0",
                        "max": f"{largest * _GROWTH:f}",
                    }
            if tool.effect == "irreversible":
                most = max((sum(call.tool == tool.tool.name for call in run) for run in self._runs), default=0)
                yield {
                    "id": f"suggested.{tool.tool.name}.count",
                    "action": tool.tool.name,
                    "max": max(1, most),
                    "per": "task",
                }

    def _largest(self, tool: str, argument: str) -> Decimal | None:
        used = [call.arguments.get(argument) for run in self._runs for call in run if call.tool == tool]
        named = [number for task in self._tasks for number in _NUMBER.findall(task.text)]
        found = [number for value in [*used, *named] if (number := _decimal(value)) is not None and number > 0]
        return max(found, default=None)

    def _tests(self) -> Iterable[Mapping[str, Json]]:
        for rule in self._permits:
            tool = rule.tool
            if tool.effect == "read" and not any(tool is guarded for guarded, *_ in self._guards()):
                continue
            yield from self._tests_of(tool)

    def _tests_of(self, tool: ToolClass) -> Iterable[Mapping[str, Json]]:
        sample = {argument.name: _sample(tool, argument) for argument in tool.arguments if argument.required}
        if None in sample.values():
            return
        good = {name: ["person"] for name in sample}
        asked = {"asked": sorted(tool.verbs)}
        name = tool.tool.name
        yield self._case(tool, f"{name}: what the person spelled out", sample, good, asked, "PERMIT")
        if tool.effect == "irreversible":
            yield self._case(tool, f"{name}: not asked for", sample, good, {}, "SILENCE")
        for guarded, argument, _, _ in self._guards():
            if guarded is tool:
                value = _sample(tool, argument)
                if value is None:
                    continue
                bad = {**good, argument.name: ["untrusted"]}
                title = f"{name}: `{argument.name}` that only others wrote"
                yield self._case(tool, title, {**sample, argument.name: value}, bad, asked, "DENY")

    def _case(
        self,
        tool: ToolClass,
        name: str,
        arguments: Mapping[str, Json],
        provenance: Mapping[str, list[str]],
        session: Mapping[str, Json],
        outcome: str,
    ) -> Mapping[str, Json]:
        return {
            "name": name,
            "request": {
                "subject": {"type": self._stub.principals[0], "id": self._agent},
                "action": {"name": tool.tool.name},
                "resource": {"type": self._stub.resources[0], "id": tool.tool.server},
                "context": {"input": dict(arguments), "task": {"id": name[:128].replace(" ", "-").replace("`", "")}},
            },
            "session": dict(session),
            "provenance": dict(provenance),
            "expect": {"outcome": outcome},
        }


def _spelled(argument: Argument, test: str) -> str:
    name = cedar_string(argument.name)
    told = f"context.provenance[{name}].{test}"
    return f"(context.input[{name}].isEmpty() || {told})" if argument.many else told


_COUNTS_AS: Final = {"read": "reading", "write": "writing", "irreversible": "something that cannot be undone"}
_WHY_DESTINATION: Final = "where something goes must be named by the person or by a trusted system."
_WHY_GRANTING: Final = "what grants access must be named by the person; found anywhere else it is somebody else's."
_LEAVES: Final = re.compile(r"ur[il]|host|endpoint|webhook|domain")
"""Arguments of reading tools that send something to wherever they name: a request is also a message."""


def _decimal(value: Json) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _sample(tool: ToolClass, argument: Argument) -> Json:
    """Return a value that the argument's type admits; None where that is not simple."""
    shape = tool.tool.input.attributes[argument.name].shape
    inner = getattr(shape, "item", shape)
    variants = getattr(inner, "variants", None)
    value: Json = variants[0] if variants else _SAMPLES.get(getattr(inner, "name", ""))
    if value is None:
        return None
    return [value] if argument.many else value


_NUMBERS: Final = ("Long", "Number", "Float", "decimal")
_SAMPLES: Final[Mapping[str, Json]] = {"String": "value", "Bool": True, **dict.fromkeys(_NUMBERS, 1)}
