"""Which tools do what cannot be undone: by their own annotations, else by the words of their names."""

import re
from typing import Final

from .tools import Tool

_WORDS: Final = frozenset(
    {
        *("delete", "remove", "drop", "destroy", "erase", "purge", "wipe", "truncate", "unlink", "terminate", "kill"),
        *("send", "post", "publish", "reply", "forward", "email", "notify", "share", "invite", "submit"),
        *("pay", "transfer", "purchase", "buy", "refund", "withdraw", "charge", "order", "schedule", "authorize"),
        *("execute", "exec", "shell", "run", "eval", "deploy", "revoke", "cancel", "password", "grant", "reset"),
    }
)

_READS: Final = frozenset(
    {"search", "get", "list", "find", "read", "lookup", "query", "count", "describe", "show", "view"}
)
_JOINS: Final = frozenset({"and", "or", "then"})
_BREAK: Final = re.compile(r"[^a-z0-9]+")


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
    words = _BREAK.split(spaced.lower())
    # `search_contacts_by_email` reads, and `email` is a noun there; `find_and_delete` does not only read.
    if words[0] in _READS and _JOINS.isdisjoint(words):
        return ""
    found = sorted(_WORDS.intersection(words))
    return f"its name says `{found[0]}`" if found else ""
