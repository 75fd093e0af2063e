"""Which tools do what cannot be undone: by their own annotations, else by the words of their names."""

import re
from typing import Final

from .schema import Tool

_WORDS: Final = frozenset(
    {
        *("delete", "remove", "drop", "destroy", "erase", "purge", "wipe", "truncate", "unlink", "terminate", "kill"),
        *("send", "post", "publish", "reply", "forward", "email", "notify", "share", "invite", "submit"),
        *("pay", "transfer", "purchase", "buy", "refund", "withdraw", "charge", "order", "schedule", "authorize"),
        *("execute", "exec", "shell", "run", "eval", "deploy", "revoke", "cancel", "password", "grant", "reset"),
    }
)


def risk_of(tool: Tool) -> str:
    """Return why a tool's action may be irreversible, or an empty text.

    MCP's annotations are hints of the tool's own author: ``destructiveHint`` is believed, and ``readOnlyHint`` too,
    because whoever published the bundle accepted this definition.
    """
    if tool.annotations.get("destructiveHint") is True:
        return "its definition says it is destructive"
    if tool.annotations.get("readOnlyHint") is True:
        return ""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", tool.name)
    found = sorted(_WORDS & set(re.split(r"[^a-z0-9]+", spaced.lower())))
    return f"its name says `{found[0]}`" if found else ""
