"""What a tool does, guessed from its definition, always on the careful side. Pure.

A tool reads, writes, or does what cannot be undone. Its name decides; an annotation can only make it worse, because
the server that publishes the tool also writes its annotations: ``destructiveHint`` is believed, ``readOnlyHint`` only
where the name does not say otherwise. What nothing is known about writes.

Arguments have roles by name, format and description: where something goes (``destination``), what grants access
(``secret``), how much (``amount``), or nothing that a rule could stand on.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from .session import ASKED
from .shapes import Array, Enumeration, Scalar, Shape, Union
from .tools import Tool

Effect = Literal["read", "write", "irreversible"]
Role = Literal["destination", "secret", "amount", "other"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_READ: Final = _words(
    "get list read search find show fetch query lookup describe count check view browse status info help"
)
_DESTROY: Final = _words(
    "delete remove drop destroy purge cancel revoke terminate wipe kill erase shutdown truncate uninstall reset"
)
_ACT: Final = _words(
    "send pay transfer schedule share post publish invite forward execute run create write update append add "
    "set insert upload put deploy restart export book reserve move rename reschedule edit modify make apply"
)
_DESTINATION: Final = re.compile(
    r"(?:^|_)(?:to|cc|bcc|recipients?|receivers?|destinations?|payees?|beneficiary|beneficiaries|participants?|"
    r"attendees?|invitees?|e?mails?|iban|account|phone|url|uri|host|hostname|endpoint|webhook|channels?|bucket|domain|"
    r"address(?:es|ee)?|assignee|user_email|target)(?:$|_)"
)
_NO_PLACE: Final = re.compile(r"(?:^|_)id$|street|city|country|zip|postal|first_name|last_name")
_DESTINATION_TOLD: Final = re.compile(r"\b(?:iban|e-?mail address(?:es)?|recipients?|payee|webhook)\b", re.IGNORECASE)
_SECRET: Final = re.compile(
    r"password|passphrase|secret|api_?key|access_?key|(?:^|_)(?:token|pin|otp|credential)s?(?:$|_)"
)
_AMOUNT: Final = re.compile(r"(?:^|_)(?:amount|total|sum|price|value|quantity|budget)(?:$|_)")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD: Final = re.compile(r"[a-z]+")
_STOP: Final = _words(
    "the a an of to for in on by with and or from is it be this that given new current all most recent if any "
    "s id input optional returns return also its as not no based each please can you me my i have what when "
    "where"
)


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: its role, whether it must be there, whether it is a list."""

    name: str
    role: Role
    required: bool
    many: bool


@dataclass(frozen=True, slots=True)
class ToolClass:
    """What is guessed of a tool. ``why`` says from what; ``nouns`` and ``verbs`` are the words it speaks of."""

    tool: Tool
    effect: Effect
    why: str
    arguments: tuple[Argument, ...]
    nouns: frozenset[str]
    verbs: frozenset[str]

    def of(self, role: Role) -> tuple[Argument, ...]:
        """Return the arguments of one role."""
        return tuple(argument for argument in self.arguments if argument.role == role)


def classify(tool: Tool, definition: Mapping[str, Any]) -> ToolClass:
    """Return what a tool does, from its definition."""
    words = list(name_words(tool.name))
    effect, why = _effect(words, tool.annotations)
    described = str(definition.get("description") or "")
    schema = definition.get("inputSchema")
    properties = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    arguments = tuple(
        Argument(
            name,
            _role(name, item.format, _told(properties.get(name)), item.shape),
            item.required,
            isinstance(item.shape, Array),
        )
        for name, item in tool.input.attributes.items()
    )
    verbs = frozenset(ASKED[word] for word in words if word in ASKED)
    if effect == "irreversible":
        verbs = frozenset(verb for verb in verbs if verb in {"delete", "cancel"}) or verbs or frozenset({"delete"})
    if any(argument.role == "amount" for argument in arguments) and verbs & {"send"}:
        verbs |= {"pay"}
    acting = _READ | _DESTROY | _ACT
    nouns = frozenset(stem(word) for word in words if word not in acting and word not in _STOP)
    if not nouns:
        nouns = frozenset(map(stem, _WORD.findall(described.lower()))) - {stem(word) for word in acting | _STOP}
    return ToolClass(tool, effect, why, arguments, nouns, verbs)


def name_words(name: str) -> Iterator[str]:
    """Yield the words of a tool's or argument's name, in lower case."""
    yield from _WORD.findall(_CAMEL.sub("_", name).lower())


def stem(word: str) -> str:
    """Return a word without the commonest endings, so that `files` and `file` are one."""
    for ending in ("ings", "ing", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= MIN_STEM:
            return word.removesuffix(ending).rstrip("e")
    return word.rstrip("e") if len(word) > MIN_STEM else word


MIN_STEM: Final = 3


def _effect(words: list[str], annotations: Mapping[str, Any]) -> tuple[Effect, str]:
    destroying = [word for word in words if word in _DESTROY]
    if annotations.get("destructiveHint") is True:
        return "irreversible", "its annotations call it destructive"
    if destroying and words[0] not in _READ:
        return "irreversible", f"its name says `{destroying[0]}`"
    if words and words[0] in _READ:
        return "read", f"its name says `{words[0]}`"
    acting = [word for word in words if word in _ACT]
    if annotations.get("readOnlyHint") is True and not acting:
        return "read", "its annotations call it read-only and its name does not say otherwise"
    return "write", f"its name says `{acting[0]}`" if acting else "nothing says that it only reads"


def _told(schema: Any) -> str:
    return str(schema.get("description") or "") if isinstance(schema, Mapping) else ""


def _role(name: str, form: str | None, described: str, shape: Shape) -> Role:
    spelled = "_".join(name_words(name)) or name.lower()
    inner = shape.item if isinstance(shape, Array) else shape
    if isinstance(inner, Scalar) and inner.name in {"Long", "Number", "Float", "decimal"}:
        return "amount" if _AMOUNT.search(spelled) else "other"
    if isinstance(inner, Enumeration) or (isinstance(inner, Scalar) and inner.name != "String"):
        return "other"
    if isinstance(inner, Union) and Scalar("String") not in inner.choices:
        inner_lists = [choice for choice in inner.choices if isinstance(choice, Array)]
        if not any(choice.item == Scalar("String") for choice in inner_lists):
            return "other"
    if _SECRET.search(spelled):
        return "secret"
    if _NO_PLACE.search(spelled):
        return "other"
    if _DESTINATION.search(spelled) or form in {"email", "uri", "hostname", "iri", "idn-email"}:
        return "destination"
    short = spelled not in {"body", "subject", "content", "text", "message", "description", "title", "query"}
    return "destination" if short and _DESTINATION_TOLD.search(described) else "other"
