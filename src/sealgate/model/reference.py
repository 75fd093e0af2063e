"""``python -m sealgate.model.reference > docs/reference/records.md``: the page of records, made from the model."""

import ast
import inspect
import sys
import types
import typing
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, Final, Literal

import msgspec

from .attributes import Attributes
from .decisions import REASONS_OF, Outcome, Reason
from .items import ATTRIBUTES, Item
from .lifecycle import TRANSITIONS, State
from .records import CAPTURED_KINDS, ITEM_KINDS, MODEL, SERVICE_KINDS, Common, Kind

_INTRODUCTION: Final = """\
# Records

<!-- Made by `python -m sealgate.model.reference`; a test compares. Change `model/` instead. -->

A record has two parts. The **statement** is public and signed: a COSE_Sign1 envelope over the SHA-256 of the body, with
issuer, pseudonymous subject, time, and the producer's gap-free sequence number. The **body** is encrypted at rest:
RFC 8785 JSON with a fresh 256-bit `salt`, so that nobody can guess it from its digest. This page is about bodies;
[`schema/record.json`](../../schema/record.json) says the same to programs. Every member is always present: what is
not known is null. Times are RFC 3339 in UTC with milliseconds; digests of inputs and outputs are salted.
"""


def page() -> str:
    """Return the reference page, Markdown."""
    return "".join([_INTRODUCTION, *_kinds(), *_structures(), *_items(), *_reasons(), *_lifecycle()])


def _kinds() -> Iterator[str]:
    yield "\n## Kinds\n\n| kind | body | written by |\n| --- | --- | --- |\n"
    for kind, structure in sorted(MODEL.items()):
        writer = "the authority"
        if kind in CAPTURED_KINDS:
            writer = "an enforcement point, as its claim"
        elif kind in SERVICE_KINDS:
            writer = "the authority, or a service of the installation"
        yield f"| `{kind}` | [{structure.__name__}](#{structure.__name__.lower()}) | {writer} |\n"
    reserved = ", ".join(f"`{kind}`" for kind in sorted(set(Kind) - set(MODEL) - ITEM_KINDS))
    yield f"\nReserved, not written yet: {reserved}.\n"


def _structures() -> Iterator[str]:
    yield "\n## Bodies\n"
    common = [item.name for item in msgspec.structs.fields(Common)]
    yield from _structure(Common, [])
    yield "\nThe following have all of these, and:\n"
    for structure in dict.fromkeys(MODEL.values()):
        yield from _structure(structure, common)
    yield "\n## Parts\n"
    for part in _parts(MODEL.values()):
        yield from _structure(part, [])


_ITEMS: Final = """
## Items

What is captured or observed beside decisions travels as items, and many of them share one record `records.captured`.
An item is one RFC 8785 object of at most 32 KiB with the members below; [`schema/item.json`](../../schema/item.json)
says the same to programs. An item that is sent may leave out members that would be null or empty; one that is kept has
all. Raw inputs and outputs appear as [Content](#content): digest and size.

| kind | attributes |
| --- | --- |
"""


def _items() -> Iterator[str]:
    yield _ITEMS
    for kind, structure in sorted(ATTRIBUTES.items()):
        yield f"| `{kind}` | [{structure.__name__}](#{structure.__name__.lower()}) |\n"
    yield from _structure(Item, [])
    shared = [item.name for item in msgspec.structs.fields(Attributes)]
    yield from _structure(Attributes, [])
    for structure in ATTRIBUTES.values():
        yield from _structure(structure, shared)
    yield "\n## Parts of items\n"
    known = set(_parts(MODEL.values()))
    for part in _parts((Item, *ATTRIBUTES.values())):
        if part not in known:
            yield from _structure(part, [])


def _parts(structures: Iterable[type]) -> list[type]:
    """Return the structures that are members of these, and members of those."""
    seen: dict[type, None] = {}
    waiting = list(structures)
    while waiting:
        for annotation in typing.get_type_hints(waiting.pop()).values():
            for part in _structures_in(annotation):
                if part not in seen:
                    seen[part] = None
                    waiting.append(part)
    return sorted(seen, key=lambda part: part.__name__)


def _structures_in(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _structures_in(argument)


def _structure(structure: type[Any], without: list[str]) -> Iterator[str]:
    yield f"\n### {structure.__name__}\n\n{_prose(inspect.getdoc(structure) or '')}\n"
    hints = typing.get_type_hints(structure)
    rows = [f"| `{name}` | {_type(hint)} |\n" for name, hint in hints.items() if name not in without]
    if rows:
        yield "\n| member | value |\n| --- | --- |\n"
        yield from rows


def _type(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(argument) for argument in arguments)
    if origin is Literal:
        return ", ".join("true" if value is True else f"`{value}`" for value in arguments)
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"object of {_type(arguments[1])}" if arguments[1] is not object else "object"
    if issubclass(hint, StrEnum) and hint not in (Outcome, Reason):
        return ", ".join(f"`{value}`" for value in hint)
    if issubclass(hint, StrEnum):
        return f"[{hint.__name__.lower()}](#outcomes-and-reasons)"
    if issubclass(hint, msgspec.Struct):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return _PLAIN[hint]


_PLAIN: Final = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    object: "any JSON",
    type(None): "null",
}


def _reasons() -> Iterator[str]:
    yield "\n## Outcomes and reasons\n\nOnly PERMIT permits.\n\n| reason | goes with | meaning |\n| --- | --- | --- |\n"
    meaning = _meanings(Reason)
    for reason in Reason:
        outcomes = ", ".join(outcome for outcome, reasons in REASONS_OF.items() if reason in reasons)
        yield f"| `{reason}` | {outcomes} | {meaning[reason.name]} |\n"


def _lifecycle() -> Iterator[str]:
    yield "\n## Lifecycle\n\nWhat may happen to a decision, and in which order; nothing else can.\n\n"
    yield "```mermaid\nstateDiagram-v2\n    [*] --> refused\n    [*] --> permitted\n"
    yield "    [*] --> redeemed: decided and redeemed\n"
    for (state, event), following in TRANSITIONS.items():
        yield f"    {state} --> {following}: {event}\n"
    yield "    refused --> [*]\n    reported --> [*]\n```\n\n| state | meaning |\n| --- | --- |\n"
    meaning = _meanings(State)
    for state in State:
        yield f"| `{state}` | {meaning[state.name]} |\n"


def _meanings(kind: type[StrEnum]) -> dict[str, str]:
    """Return the text under each member of an enumeration, which only its source has."""
    (definition,) = ast.parse(inspect.getsource(kind)).body
    found: dict[str, str] = {}
    name = ""
    for item in definition.body if isinstance(definition, ast.ClassDef) else []:
        match item:
            case ast.Assign(targets=[ast.Name(id=name)]):
                found[name] = ""
            case ast.Expr(value=ast.Constant(value=str() as text)) if name:
                found[name] = _prose(inspect.cleandoc(text))
    return found


def _prose(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


if __name__ == "__main__":
    sys.stdout.write(page())
