"""What becomes of one value: kept, dropped, masked, hashed, or replaced by a token."""

from typing import Any, Final

import orjson

from . import paths
from .findings import Finding
from .gathering import NUMBER_DIGITS
from .keys import RedactionKeys
from .known import KnownValues
from .paths import Path
from .policy import FieldPolicy, FieldRule
from .redacted import TokenSource, Wanted
from .texts import replace_found

MAX_TEXT: Final = 8192
"""Longest text that the record model allows; a text that marks made longer is cut."""

MAX_REMEMBERED: Final = 64
"""Longest text that is remembered when nothing was found in it: names of models and tools come again and again."""
MAX_CLEAN: Final = 4096
"""So many texts are remembered."""


class Values:
    """What becomes of one value by a field policy, noted by path. ``_quiet``: nothing in it has to be looked at."""

    def __init__(
        self, policy: FieldPolicy, keys: RedactionKeys, known: KnownValues | None, tokens: TokenSource | None
    ) -> None:
        self._policy = policy
        self._keys = keys
        self._known = known if known is not None and len(known) else None
        self._tokens = tokens
        self._done: dict[tuple[str, str, str], int] = {}
        self._subjects: list[str] = []
        self._wanted: list[Wanted] = []
        self._types: set[str] = set()
        self._quiet = False

    def _act(self, path: Path, value: Any, action: str, rule: FieldRule | None) -> Any:
        if value is None or isinstance(value, bool):
            return None if action == "drop" else value
        if action == "keep":
            return value if rule is not None and not rule.detectors else self._scalar(path, value)
        if action == "drop":
            self._note(path, "field", "drop")
            return [] if isinstance(value, list) else None
        if isinstance(value, str) and _is_mark(value):
            return value
        kind = rule.type if rule is not None else "field"
        if action == "mask":
            self._note(path, kind, "mask")
            return "[masked]"
        text = value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
        if action == "token":
            return self._token(path, text, kind, None)
        return self._hashed(path, text, kind)

    def _scalar(self, path: Path, value: Any) -> Any:
        if self._quiet:
            return value
        if isinstance(value, str):
            return self._text(path, value)
        text = str(value)
        if len(text) >= NUMBER_DIGITS and self._find(text, path):
            return self._text(path, text)
        return value

    def _text(self, path: Path, text: str) -> str:
        if self._quiet:
            return text
        clean, place = self._policy.clean, (path[-2:], text)
        if self._known is None and place in clean:
            return text
        found, dropped = self._policy, False

        def replacement(finding: Finding, raw: str) -> str:
            nonlocal dropped
            self._types.add(finding.type)
            action = found.action_for(finding.type)
            if action == "drop":
                dropped = True
            if action == "token":
                return self._token(path, raw, finding.type, self._subject(raw))
            if action == "hash":
                return self._hashed(path, raw, finding.type) or f"[{finding.type}]"
            self._note(path, finding.type, action)
            return f"[{finding.type}]"

        self._remember_subjects(text)
        result, findings = replace_found(text, found.scanner, self._known, _hint(path), replacement)
        if not findings and result == text and len(text) <= MAX_REMEMBERED:
            if len(clean) >= MAX_CLEAN:
                clean.clear()
            clean.add(place)
        if dropped:
            return "[dropped]"
        return result[: max(len(text), MAX_TEXT)]

    def _find(self, text: str, path: Path) -> list[Finding]:
        return self._policy.scanner.find(text, hint=_hint(path), known=self._known)

    def _remember_subjects(self, text: str) -> None:
        if self._known is not None:
            for _, value in self._known.find_values(text):
                if value.subject is not None:
                    self._subjects.append(value.subject)

    def _subject(self, raw: str) -> str | None:
        hits = self._known.find_values(raw) if self._known is not None else []
        return next((value.subject for _, value in hits if value.subject is not None), None)

    def _token(self, path: Path, text: str, kind: str, subject: str | None) -> str:
        token = self._tokens.token(kind, text, subject) if self._tokens is not None else None
        if token is None:
            self._wanted.append(Wanted(kind, text, subject))
            self._note(path, kind, "mask")
            return f"[{kind}]" if kind != "field" else "[masked]"
        self._note(path, kind, "token")
        return token

    def _hashed(self, path: Path, text: str, kind: str) -> str | None:
        value = self._keys.hash(kind, text.encode())
        self._note(path, kind, "drop" if value is None else "hash")
        return None if value is None else f"hmac_{value}"

    def _note(self, path: Path, kind: str, action: str) -> None:
        key = (paths.show(path)[:MAX_TEXT], kind, action)
        self._done[key] = self._done.get(key, 0) + 1


def _is_mark(text: str) -> bool:
    return (text.startswith("[") and text.endswith("]") and text[1:-1].isidentifier()) or (
        text.startswith(("tok_", "hmac_")) and text.replace("-", "_").isidentifier()
    )


def _hint(path: Path) -> str:
    return " ".join(part for part in path[-2:] if part not in {"*", "value", "attributes"} and "[" not in part)
