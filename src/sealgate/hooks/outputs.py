"""What each host takes for a permit and for a refusal. Pure.

No host is told another's words: Codex ignores a refusal with a member it does not know, Claude one with a ``decision``
that is not its own, Copilot everything in Claude's form. So there is one function for each host, never one union.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

Phase = Literal["before", "after"]
OnPermit = Literal["stand-aside", "allow"]
"""What a permit does to the host's own questions to its user: leave them as they are, or answer them."""

OnApproval = Literal["refuse", "defer"]
"""What Claude does where a person must approve: refuse the call, or stop the run until it is resumed."""

MAX_REASON_CHARS: Final = 2000


@dataclass(frozen=True, slots=True)
class Output:
    """What the hook program prints, and its exit status."""

    status: int
    stdout: bytes = b""
    stderr: bytes = b""


SILENT: Final = Output(0)


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()


def _pre_tool_use(decision: str, reason: str) -> bytes:
    members = {"hookEventName": "PreToolUse", "permissionDecision": decision, "permissionDecisionReason": reason}
    return _dump({"hookSpecificOutput": members})


def _gemini(decision: str, reason: str) -> bytes:
    return _dump({"decision": decision, "reason": reason})


def _copilot(decision: str, reason: str) -> bytes:
    return _dump({"permissionDecision": decision, "permissionDecisionReason": reason})


def _cursor(decision: str, reason: str) -> bytes:
    return _dump({"permission": decision, "user_message": reason, "agent_message": reason})


_FORMS: Final[dict[str, Callable[[str, str], bytes]]] = {
    "claude": _pre_tool_use,
    "codex": _pre_tool_use,
    "gemini": _gemini,
    "copilot": _copilot,
    "cursor": _cursor,
}

HOSTS: Final = frozenset(_FORMS)

_ALLOW: Final = frozenset({"claude", "copilot", "cursor"})
"""Hosts that take an explicit permit as the answer to their own question."""


def refusal(host: str, reason: str) -> Output:
    """Return a refusal in the host's own words.

    The exit status alone refuses; the words are for the model. Copilot drops the words of a failed hook, so there the
    status is 0, and the hook program turns it into 2 when it cannot write all of the words.
    """
    text = _line(reason)
    status = 0 if host == "copilot" else 2
    return Output(status, _FORMS[host]("deny", text), text.encode("utf-8", "replace") + b"\n" if status else b"")


def permit(host: str, on_permit: OnPermit, reason: str) -> Output:
    """Return a permit: silence, after which the host does what it would have done without us."""
    if on_permit == "allow" and host in _ALLOW:
        return Output(0, _FORMS[host]("allow", _line(reason)))
    return SILENT


def deferral(reason: str) -> Output:
    """Return Claude's ``defer``: the call does not run and the run ends, to be resumed after the approval."""
    return Output(0, _pre_tool_use("defer", _line(reason)))


def noted(problem: str = "") -> Output:
    """Return the answer to an event after a tool's run, which can refuse nothing."""
    return Output(1, stderr=f"sealgate: {_line(problem)}\n".encode()) if problem else SILENT


def _line(text: str) -> str:
    one = " ".join(text.split()) or "refused"
    safe = one.encode("utf-8", "replace").decode("utf-8")
    return safe if len(safe) <= MAX_REASON_CHARS else safe[: MAX_REASON_CHARS - 7] + " …(cut)"
