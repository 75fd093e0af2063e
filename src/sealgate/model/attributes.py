"""What an item says, by kind: the ``attributes`` of ``items``, and the small structures that they share."""

from typing import Annotated, Literal

import msgspec

from .records.decisions import Failure, Permissions, Resource

Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Label = Annotated[str, msgspec.Meta(max_length=256)]
Text = Annotated[str, msgspec.Meta(max_length=8192)]
Uuid = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
Time = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$")]
TraceId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
SpanId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}$")]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Json = object


class Member(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The base of everything here: members by name only, none beside those that are named."""


class Content(Member, kw_only=True):
    """An input, an output or a part of one. ``digest`` = base64url(HMAC-SHA256(salt of the item, SHA-256(bytes))).

    The bytes are RFC 8785 for JSON values, UTF-8 for texts, else the bytes themselves. ``value`` is null unless the
    field policy keeps it.
    """

    digest: Label | None = None
    size_bytes: Count | None = None
    media_type: Label | None = None
    value: Json = None


class Part(Member, kw_only=True):
    """One document, row or message that was retrieved; ``count`` is how many rows or messages it stands for."""

    type: Literal["document", "row", "message"]
    id: Text | None = None
    title: Text | None = None
    role: Label | None = None
    score: float | None = None
    count: Count = 1
    content: Content | None = None


class ItemTool(Member, kw_only=True):
    """The tool as the caller knows it; ``definition_sha256`` pins its definition."""

    name: Identifier
    server: Label | None = None
    version: Label | None = None
    publisher: Label | None = None
    trust_level: Label | None = None
    verification_score: Count | None = None
    definition_sha256: Label | None = None


class Tokens(Member, kw_only=True):
    """Tokens of a model call, as the provider counted them."""

    input: Count | None = None
    output: Count | None = None
    cache_read: Count | None = None
    cache_creation: Count | None = None
    reasoning: Count | None = None


class ItemData(Member, kw_only=True):
    """What is known of the data: its classification, systems touched, subjects affected (tokens)."""

    classification: Label | None = None
    systems: list[Text] = []
    subjects: list[Text] = []


class Authorization(Member, kw_only=True):
    """Why a call was allowed, as the caller tells it: ``proof`` names the record or receipt that says so."""

    method: Literal["policy", "human_approval", "just_in_time", "none"] | None = None
    decision: Literal["PERMIT", "DENY", "SILENCE"] | None = None
    decision_id: Label | None = None
    rules: list[Text] = []
    policy_version: Label | None = None
    proof: Text | None = None


class Attributes(Member, kw_only=True):
    """The base of all attributes. ``extra`` holds what was sent and has no member of its own."""

    extra: dict[str, Json] | None = None


class SessionStarted(Attributes, kw_only=True):
    """A task or session began. ``user`` is a token where people's names are tokens."""

    goal: Text | None = None
    user: Text | None = None
    on_behalf_of: list[Text] = []
    framework: Label | None = None
    framework_version: Label | None = None


class SessionEnded(Attributes, kw_only=True):
    """A task or session ended."""

    outcome: Literal["completed", "failed", "cancelled"] | None = None
    error: Failure | None = None


class InputReceived(Attributes, kw_only=True):
    """Somebody or something spoke to the agent. ``trusted`` is false for content of strangers."""

    channel: Label | None = None
    source: Text | None = None
    user: Text | None = None
    trusted: bool | None = None
    content: Content | None = None


class ContextRetrieved(Attributes, kw_only=True):
    """The agent read something: what was asked, how much came, each part by digest; ``count`` includes omitted ones."""

    source: Text | None = None
    source_type: Literal["documents", "rows", "messages", "memory"] | None = None
    query: Content | None = None
    count: Count = 0
    size_bytes: Count | None = None
    trusted: bool | None = None
    classification: Label | None = None
    parts: list[Part] = []
    omitted: Count = 0


class Reasoning(Attributes, kw_only=True):
    """A step of the agent, with the reason it gave. Claimed, not observed; its span is the parent of what it led to."""

    name: Text | None = None
    rationale: Text | None = None
    claimed: Literal[True] = True
    alternatives: list[Text] = []


class ModelCall(Attributes, kw_only=True):
    """A model was asked. Prompt template and variables apart; ``output`` is the parsed output."""

    operation: Label | None = None
    provider: Label | None = None
    model: Label | None = None
    response_model: Label | None = None
    response_id: Text | None = None
    template_id: Text | None = None
    template: Content | None = None
    variables: dict[str, Content] = {}
    input: Content | None = None
    output: Content | None = None
    parameters: dict[str, Json] | None = None
    tool_calls: list[Text] = []
    tokens: Tokens | None = None
    finish_reasons: list[Label] = []
    error: Failure | None = None


class ToolCall(Attributes, kw_only=True):
    """A tool was called, seen or captured without the gate. Output and outcome too where they are known with it."""

    tool: ItemTool
    call_id: Text | None = None
    tool_type: Label | None = None
    resource: Resource | None = None
    input: Content | None = None
    output: Content | None = None
    outcome: Literal["succeeded", "failed", "cancelled", "timed_out"] | None = None
    error: Failure | None = None
    user: Text | None = None
    permissions: Permissions | None = None
    data: ItemData | None = None
    authorization: Authorization | None = None
    retention_class: Label | None = None


class ToolOutcome(Attributes, kw_only=True):
    """What became of a ``tool.call``: ``call_item_id`` names it, and both have the same span."""

    call_item_id: Uuid | None = None
    call_id: Text | None = None
    tool: Label | None = None
    outcome: Literal["succeeded", "failed", "cancelled", "timed_out"] | None = None
    output: Content | None = None
    error: Failure | None = None
    permissions: Permissions | None = None
    data: ItemData | None = None


class Fallback(Attributes, kw_only=True):
    """Something failed or was refused, and the agent did another thing instead."""

    primary: Text | None = None
    alternative: Text | None = None
    reason: Text | None = None
    attempt: Count | None = None
    error: Failure | None = None


class ErrorSeen(Attributes, kw_only=True):
    """An error that the agent met. ``handled`` tells whether it went on."""

    error: Failure | None = None
    where: Text | None = None
    handled: bool | None = None
    detail: Content | None = None


class EventLogged(Attributes, kw_only=True):
    """Anything else worth keeping. ``data`` is any JSON object."""

    event_type: Label
    level: Literal["debug", "info", "warning", "error", "critical"] | None = None
    data: dict[str, Json] | None = None


class CoverageDeclared(Attributes, kw_only=True):
    """Which system is enforced, only observed, a known gap, or unknown; a missing record proves nothing by itself."""

    system: Text
    state: Literal["enforced", "observed", "known_gap", "unknown"]
    agents: list[Identifier] = []
    note: Text | None = None
