"""The table of log records and events of spans, by name: which become what."""

from dataclasses import dataclass, field
from typing import Final

MESSAGE_EVENTS: Final = {
    "gen_ai.choice": "output",
    "gen_ai.content.completion": "output",
    "gen_ai.client.inference.operation.details": "details",
    "gen_ai.system.message": "input",
    "gen_ai.user.message": "input",
    "gen_ai.assistant.message": "input",
    "gen_ai.tool.message": "input",
    "gen_ai.content.prompt": "input",
}
"""Events (of a span, or log records) that carry messages, by name, and which side they are on."""


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A log record that is an event of an agent: the kind of item, and which attribute is which fact."""

    kind: str
    convention: str
    facts: dict[str, tuple[str, ...]] = field(default_factory=dict)


LOG_EVENTS: Final[dict[str, LogEvent]] = {
    "gen_ai.client.inference.operation.details": LogEvent("model.call", "otel-genai"),
    "gen_ai.choice": LogEvent("model.call", "otel-genai-legacy"),
    "gen_ai.user.message": LogEvent("input.received", "otel-genai-legacy", {"content": ("content",)}),
    "claude_code.user_prompt": LogEvent("input.received", "claude-code", {"content": ("prompt",)}),
    "claude_code.tool_result": LogEvent(
        "tool.call",
        "claude-code",
        {
            "name": ("tool_name",),
            "call_id": ("tool_use_id",),
            "arguments": ("tool_input", "tool_parameters"),
            "duration_ms": ("duration_ms",),
            "success": ("success",),
            "error": ("error",),
        },
    ),
    "claude_code.api_request": LogEvent(
        "model.call",
        "claude-code",
        {
            "model": ("model",),
            "response_id": ("request_id",),
            "duration_ms": ("duration_ms",),
            "tokens_input": ("input_tokens",),
            "tokens_output": ("output_tokens",),
            "tokens_cache_read": ("cache_read_tokens",),
            "tokens_cache_creation": ("cache_creation_tokens",),
        },
    ),
    "claude_code.api_error": LogEvent("error", "claude-code", {"error": ("error",)}),
}
"""Log records by event name. Names without a prefix are looked up as Claude Code's where its scope says so."""

LOG_SESSION: Final = ("gen_ai.conversation.id", "session.id", "langfuse.session.id")
"""Attributes of a log record that name its session."""

REPEATED_MESSAGES: Final = frozenset({"gen_ai.system.message", "gen_ai.assistant.message", "gen_ai.tool.message"})
"""Log records that only repeat what a model was told before: skipped, and counted as `repeated_message`."""
