"""Names in a generated schema: legal in Cedar whatever a tool calls its arguments, and unique."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

from .shapes import Path
from .stub import Stub

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_RESERVED: Final = frozenset(
    {
        *("true", "false", "if", "then", "else", "in", "is", "like", "has"),
        *("Bool", "Boolean", "Entity", "Extension", "Long", "Record", "Set", "String"),
        *("ipaddr", "decimal", "datetime", "duration"),  # legal, but a record of that name could refer to itself
    }
)


@dataclass(slots=True)
class Names:
    """Gives each path a legal, unique type name."""

    stub: Stub
    flatten: bool
    taken: dict[tuple[str, str], Path] = field(default_factory=dict)

    def of(self, path: Path) -> tuple[str, str]:
        """Return (namespace, name) for a path."""
        parts = [legal_identifier(part) for part in path]
        if self.flatten:
            space, name = self.stub.namespace, "_".join(parts)
        else:
            space, name = "::".join([*filter(None, [self.stub.namespace]), *parts[:-1]]), parts[-1]
            if not self.stub.namespace and name in self.stub.types:
                name = f"{name}_{_short_hash(path[-1])}"  # Cedar forbids a name that shadows one outside namespaces
        if self.taken.setdefault((space, name), path) != path:
            name = f"{name}_{_short_hash('/'.join(path))}"
            self.taken[space, name] = path
        return space, name

    def qualified(self, path: Path) -> str:
        """Return the full type name for a path."""
        space, name = self.of(path)
        return f"{space}::{name}" if space else name


def legal_identifier(name: str) -> str:
    """Return ``name`` where it is a Cedar identifier, else a readable identifier that only this name gets."""
    if _IDENTIFIER.fullmatch(name) and name not in _RESERVED and not name.startswith("__"):
        return name
    readable = re.sub(r"[^A-Za-z0-9]", "_", name, flags=re.ASCII)[:40]
    return f"t_{readable}_{_short_hash(name)}"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def cedar_string(text: str) -> str:
    """Return ``text`` as a Cedar string literal."""
    escaped = "".join(char if char.isprintable() and char not in '"\\' else f"\\u{{{ord(char):x}}}" for char in text)
    return f'"{escaped}"'
