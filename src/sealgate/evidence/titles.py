"""One line for each kind of row, for trees and explanations."""

from typing import Any, Final

from sealgate.evidence.finding import Values, column
from sealgate.model.records import Kind

_PLAIN: Final[dict[str, str]] = {
    Kind.SESSION_STARTED: "session started",
    Kind.SESSION_ENDED: "session ended",
    Kind.INPUT_RECEIVED: "input received",
    Kind.CONTEXT_RETRIEVED: "context retrieved",
    Kind.REASONING: "reasoning (claimed)",
    Kind.FALLBACK: "fell back",
    Kind.ERROR: "error",
    Kind.PERMIT_REDEEMED: "permit redeemed",
    Kind.CONTAINMENT_APPLIED: "agent paused",
    Kind.CONTAINMENT_LIFTED: "agent resumed",
    Kind.CAPTURE_GAP: "gap: requests that could not be recorded",
}
_MAX_CHARS: Final = 160


def title(row: Values) -> str:
    """Return what a row says in one line."""
    kind, tool, outcome = column(row, "kind"), column(row, "tool"), column(row, "outcome")
    match kind:
        case Kind.DECISION:
            return f"{outcome} {tool}: {column(row, 'reason')}"
        case Kind.OUTCOME | Kind.TOOL_OUTCOME:
            return f"outcome: {outcome or 'unknown'}"
        case Kind.TOOL_CALL:
            return f"call {tool}" + (f": {outcome}" if outcome else "")
        case Kind.MODEL_CALL:
            return f"model call {column(row, 'model') or ''}".rstrip()
        case Kind.ACCESS:
            return f"access by {column(row, 'principal')}: {outcome or 'answered'}"
    return _short(_PLAIN.get(kind, kind), column(row, "text"))


def _short(name: str, text: Any) -> str:
    line = name if not text else f"{name}: {text}".replace("\n", " · ")
    return line if len(line) <= _MAX_CHARS else line[: _MAX_CHARS - 1] + "…"
