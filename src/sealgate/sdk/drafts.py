"""The attributes of each kind of item, from what the agent tells. Pure: no time, no disk.

What is not known is left out, which means null. Raw inputs and outputs are wrapped in ``Raw``; ``recorder`` digests
them. Texts are cut to a length, the cut marked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sealgate.model.errors import InputError
from sealgate.model.identifiers import require_name
from sealgate.sdk.calls import claim
from sealgate.sdk.tracing import Span
from sealgate.sdk.transport import Call

MAX_PARTS: Final = 64
"""Documents, rows or messages listed one by one in an item; more are counted as omitted."""

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
"""The levels of an event, as the standard library names them."""

Attributes = dict[str, Any]
Level = Literal["debug", "info", "warning", "error", "critical"]


@dataclass(frozen=True, slots=True)
class Raw:
    """A value of which only digest and size are kept, unless the field policy says otherwise."""

    value: Any


@dataclass(frozen=True, slots=True)
class Draft:
    """An item before it has an id, a time and its digests."""

    kind: str
    attributes: Attributes
    span: Span
    status: Literal["ok", "error"] | None = None
    duration_ms: int | None = None
    classification: str | None = None
    observation: Call | None = None
    """What is told to the authority before the item is recorded."""


def known(**members: Any) -> Attributes:
    """Return the members that are known: not None, not empty; texts cut."""
    return {
        name: claim(value) if isinstance(value, str) else value
        for name, value in members.items()
        if value is not None and value not in ([], {})
    }


def texts(values: Iterable[str]) -> list[str]:
    """Return claimed texts, each cut to a length."""
    return [claim(value, 1000) for value in values]


def raw(value: Any) -> Raw | None:
    """Wrap a value; None stays None."""
    return None if value is None else Raw(value)


def failure(error: BaseException | str | None) -> Attributes | None:
    """Return type and message of an error, or None."""
    if error is None:
        return None
    if isinstance(error, str):
        return {"type": "error", "message": claim(error)}
    try:
        message = str(error)
    except Exception:  # noqa: BLE001  # somebody's __str__ must not lose the record
        message = ""
    return {"type": claim(type(error).__qualname__, 200), "message": claim(message)}


def status_of(error: BaseException | str | None) -> Literal["ok", "error"]:
    """Return the status that goes with an error or none."""
    return "ok" if error is None else "error"


def retrieved(  # the API names all that can be told
    source: str,
    *,
    query: Any,
    documents: Sequence[Any] | None,
    rows: Sequence[Any] | None,
    messages: Sequence[Any] | None,
    trusted: bool | None,
    classification: str | None,
) -> Attributes:
    """Return the attributes of ``context.retrieved``.

    Raises:
        InputError: not exactly one of documents, rows and messages is given.
    """
    given = [(kind, value) for kind, value in _kinds(documents, rows, messages) if value is not None]
    if len(given) != 1:
        raise InputError("what was retrieved is not given exactly once", hint="pass documents=, rows= or messages=")
    kind, values = given[0]
    return known(
        source=source,
        source_type=kind,
        query=raw(query),
        count=len(values),
        trusted=trusted,
        classification=classification,
        parts=[_part(kind.removesuffix("s"), value) for value in values[:MAX_PARTS]],
        omitted=max(0, len(values) - MAX_PARTS) or None,
    )


def _kinds(
    documents: Sequence[Any] | None, rows: Sequence[Any] | None, messages: Sequence[Any] | None
) -> list[tuple[str, Sequence[Any] | None]]:
    return [("documents", documents), ("rows", rows), ("messages", messages)]


def _part(kind: str, value: Any) -> Attributes:
    """Return one part. Identifier, title, role and score of a mapping are kept; all of it is digested."""
    part: Attributes = {"type": kind, "content": Raw(value)}
    if isinstance(value, Mapping):
        for name in ("id", "title", "role"):
            if isinstance(value.get(name), str):
                part[name] = claim(value[name], 250)
        if type(value.get("score")) in (int, float):
            part["score"] = value["score"]
    return part


def event(event_type: str, level: str, data: Mapping[str, Any] | None) -> Attributes:
    """Return the attributes of ``event.logged``; InputError for a level that is not known."""
    if level not in LEVELS:
        raise InputError(f"level `{level[:40]}` is not known", hint=f"one of {', '.join(LEVELS)}")
    return {"event_type": claim(event_type, 256), "level": level, "data": dict(data or {})}


@dataclass(frozen=True, slots=True)
class Tool:
    """What is known of a tool, its call and why it was allowed: all that a record of an invocation may carry."""

    name: str
    server: str | None = None
    version: str | None = None
    publisher: str | None = None
    trust_level: str | None = None
    verification_score: int | None = None
    definition_sha256: str | None = None

    def members(self) -> Attributes:
        """Return the members of the tool's structure."""
        require_name(self.name, "tool")
        return known(
            name=self.name,
            server=self.server,
            version=self.version,
            publisher=self.publisher,
            trust_level=self.trust_level,
            verification_score=self.verification_score,
            definition_sha256=self.definition_sha256,
        )


def permissions(used: Sequence[str], denied: Sequence[str]) -> Attributes | None:
    """Return permissions used and denied, None if nothing is said of them."""
    return {"used": texts(used), "denied": texts(denied)} if used or denied else None


def data(classification: str | None, systems: Sequence[str], subjects: Sequence[str]) -> Attributes | None:
    """Return what is known of the data touched, None if nothing."""
    found = known(classification=classification, systems=texts(systems), subjects=texts(subjects))
    return found or None
