"""Items: what is captured or observed beside decisions, many of them in one signed record.

An item is one canonical JSON object (RFC 8785, at most ``limits.MAX_ITEM_BYTES``). All kinds share the members of
``Item``; ``attributes`` are typed by kind. ``schema/item.json`` is generated from here. A reader takes an absent member
for null; what is kept always has all of them, so that nothing is missing by accident.

Raw inputs and outputs are no part of an item: a ``Content`` holds digest and size, and the value only where the field
policy of the site keeps it. What an item says is a claim of who sent it and never an input to policy.
"""

from typing import Any, Final, Literal, TypeVar

import msgspec

from .attributes import (
    Attributes,
    ContextRetrieved,
    Count,
    CoverageDeclared,
    ErrorSeen,
    EventLogged,
    Fallback,
    Identifier,
    InputReceived,
    Label,
    Member,
    ModelCall,
    Reasoning,
    SessionEnded,
    SessionStarted,
    SpanId,
    Text,
    Time,
    ToolCall,
    ToolOutcome,
    TraceId,
    Uuid,
)
from .errors import InputError
from .records import Kind


class Link(Member, kw_only=True):
    """Another span that this one has to do with (W3C trace context)."""

    trace_id: TraceId
    span_id: SpanId


class ItemProducer(Member, kw_only=True):
    """One run of one process (16 random bytes, hex) and a count without gaps, from 0."""

    epoch: TraceId
    seq: Count


class Deployment(Member, kw_only=True):
    """Where the agent runs: its service, version, cluster, instance."""

    service: Label | None = None
    version: Label | None = None
    cluster: Label | None = None
    instance: Label | None = None


class Redaction(Member, kw_only=True):
    """What was done to values of one type at one path before the item was kept."""

    path: Text
    type: Label
    action: Literal["keep", "drop", "mask", "hash", "token", "digest"]
    count: Count


class Item(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every item has beside its ``kind``. ``salt`` is base64url of 16 random bytes, null where there is no digest.

    ``producer`` is null for what came by OTLP. ``privacy_policy`` is the SHA-256 of the field policy that was applied.
    """

    item_id: Uuid
    time: Time
    agent: Identifier
    session_id: Identifier | None = None
    task_id: Identifier | None = None
    trace_id: TraceId | None = None
    span_id: SpanId | None = None
    parent_span_id: SpanId | None = None
    links: list[Link] = []
    duration_ms: Count | None = None
    status: Literal["ok", "error"] | None = None
    producer: ItemProducer | None = None
    coverage: Literal["captured", "observed"]
    source: Literal["sdk", "otlp"]
    convention: Label | None = None
    classification: Label | None = None
    subjects: list[Text] = []
    region: Label | None = None
    environment: Label | None = None
    deployment: Deployment | None = None
    redactions: list[Redaction] = []
    privacy_policy: Label | None = None
    salt: Label | None = None


class SessionStartedItem(Item, kw_only=True, tag=str(Kind.SESSION_STARTED)):
    """See SessionStarted."""

    attributes: SessionStarted


class SessionEndedItem(Item, kw_only=True, tag=str(Kind.SESSION_ENDED)):
    """See SessionEnded."""

    attributes: SessionEnded


class InputReceivedItem(Item, kw_only=True, tag=str(Kind.INPUT_RECEIVED)):
    """See InputReceived."""

    attributes: InputReceived


class ContextRetrievedItem(Item, kw_only=True, tag=str(Kind.CONTEXT_RETRIEVED)):
    """See ContextRetrieved."""

    attributes: ContextRetrieved


class ReasoningItem(Item, kw_only=True, tag=str(Kind.REASONING)):
    """See Reasoning."""

    attributes: Reasoning


class ModelCallItem(Item, kw_only=True, tag=str(Kind.MODEL_CALL)):
    """See ModelCall."""

    attributes: ModelCall


class ToolCallItem(Item, kw_only=True, tag=str(Kind.TOOL_CALL)):
    """See ToolCall."""

    attributes: ToolCall


class ToolOutcomeItem(Item, kw_only=True, tag=str(Kind.TOOL_OUTCOME)):
    """See ToolOutcome."""

    attributes: ToolOutcome


class FallbackItem(Item, kw_only=True, tag=str(Kind.FALLBACK)):
    """See Fallback."""

    attributes: Fallback


class ErrorItem(Item, kw_only=True, tag=str(Kind.ERROR)):
    """See ErrorSeen."""

    attributes: ErrorSeen


class EventLoggedItem(Item, kw_only=True, tag=str(Kind.EVENT_LOGGED)):
    """See EventLogged."""

    attributes: EventLogged


class CoverageDeclaredItem(Item, kw_only=True, tag=str(Kind.COVERAGE_DECLARED)):
    """See CoverageDeclared."""

    attributes: CoverageDeclared


AnyItem = (
    SessionStartedItem
    | SessionEndedItem
    | InputReceivedItem
    | ContextRetrievedItem
    | ReasoningItem
    | ModelCallItem
    | ToolCallItem
    | ToolOutcomeItem
    | FallbackItem
    | ErrorItem
    | EventLoggedItem
    | CoverageDeclaredItem
)
"""An item of any kind."""

ITEM_MODEL: Final[dict[str, type[Item]]] = {
    str(structure.__struct_config__.tag): structure for structure in AnyItem.__args__
}
"""The structure of an item of each kind."""

ATTRIBUTES: Final[dict[str, type[Attributes]]] = {
    kind: structure.__annotations__["attributes"] for kind, structure in ITEM_MODEL.items()
}
"""The structure of the attributes of each kind."""

_decode: Final = msgspec.json.Decoder(AnyItem).decode
_T = TypeVar("_T", bound=Attributes)


def read(value: bytes | msgspec.Raw | dict[str, Any]) -> AnyItem:
    """Return the item that JSON bytes (or an object that was already parsed) describe.

    Bytes from outside are given to ``canonical.parse`` first: this reader does not notice a key that comes twice.

    Raises:
        InputError: it is not an item; the message names the first member that is wrong.
    """
    try:
        return msgspec.convert(value, AnyItem) if isinstance(value, dict) else _decode(value)  # type: ignore[no-any-return]  # it returns what was asked for
    except msgspec.ValidationError as error:
        raise InputError(f"not an item: {error}", hint="see schema/item.json") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"not JSON: {error}") from error


def as_object(item: Item) -> dict[str, Any]:
    """Return the JSON object of an item, all members present: what its canonical text is made from."""
    made: dict[str, Any] = msgspec.to_builtins(item)
    return made


def attributes(structure: type[_T], **known: Any) -> dict[str, Any]:
    """Return attributes as a JSON object: what is known, and null or empty for all else.

    Raises:
        InputError: a member is unknown here or has the wrong type.
    """
    try:
        made: dict[str, Any] = msgspec.to_builtins(msgspec.convert(known, structure))
    except msgspec.ValidationError as error:
        raise InputError(f"not attributes of this kind: {error}", hint="see schema/item.json") from error
    return made
