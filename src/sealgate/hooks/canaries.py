"""Events in each host's own form, for the canary call of ``doctor``, for tests and for measuring. Pure."""

import json
from typing import Any, Final

CANARY: Final = "sealgate_canary"
"""A tool that no host has and no policy should permit."""


def event(
    host: str, tool: str, arguments: dict[str, Any], *, phase: str = "before", folder: str = "/", call: str = "call-1"
) -> bytes:
    """Return what the host would send for this call; ``after`` with a small result."""
    before = phase == "before"
    if host == "copilot":
        members: dict[str, Any] = {
            "sessionId": "canary",
            "timestamp": 1,
            "cwd": folder,
            "toolName": tool,
            "toolArgs": arguments,
        }
        if not before:
            members["toolResult"] = {"resultType": "success", "textResultForLlm": "done"}
        return json.dumps(members).encode()
    members = {"session_id": "canary", "cwd": folder, "tool_name": tool, "tool_input": arguments}
    if host == "gemini":
        members |= {
            "hook_event_name": "BeforeTool" if before else "AfterTool",
            "transcript_path": "",
            "timestamp": "2026-01-01T00:00:00.000Z",
        }
    elif host == "cursor":
        members |= {
            "hook_event_name": "preToolUse" if before else "postToolUse",
            "conversation_id": "canary",
            "tool_use_id": call,
        }
    else:
        members |= {
            "hook_event_name": "PreToolUse" if before else "PostToolUse",
            "transcript_path": None,
            "permission_mode": "default",
            "tool_use_id": call,
        }
        if host == "codex":
            members |= {"turn_id": "turn-1", "model": "canary"}
    if not before:
        members["tool_response"] = {"output": "done"}
    return json.dumps(members).encode()


SHELL: Final = {
    "claude": "Bash",
    "codex": "Bash",
    "gemini": "run_shell_command",
    "copilot": "bash",
    "cursor": "Shell",
}
"""Each host's tool that runs a command line."""
