"""Applies a field policy to an item. What fails is dropped, and the item says so: raw data never leaves by an error.

An item's own structure (identifiers, times, digests, counts) is not touched. A *content* is an object with ``digest``
and ``value``: a raw input or output. Redacting twice gives the same as once.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable
from typing import Any, Final

from ..encoding.canonical import encode_arguments, salted_digest
from ..model.errors import SealgateError
from . import paths
from .gathering import SEPARATOR, Walk, collect, is_content
from .keys import RedactionKeys
from .known import MIN_SQUEEZED, KnownValues
from .paths import Path
from .policy import FieldPolicy, FieldRule
from .redacted import Redacted, Redaction, TokenSource
from .values import Values

_IDENTIFIERS: Final = ("session_id", "task_id")

_CLASSES: Final = (
    ("secret", frozenset({"secret", "private_key", "jwt", "url_credentials"})),
    ("financial", frozenset({"card", "iban", "us_aba", "us_bank", "crypto"})),
    ("personal", None),
)


def redact_item(
    item: dict[str, Any],
    policy: FieldPolicy,
    keys: RedactionKeys,
    known: KnownValues | None = None,
    tokens: TokenSource | None = None,
) -> Redacted:
    """Return a copy of ``item`` with the policy applied; ``item`` itself stays as it is. Never raises.

    Set in the copy: ``redactions``, ``subjects``, ``privacy_policy`` and, where none is given, ``classification``.
    """
    work = _Work(item, policy, keys, known, tokens)
    work.run()
    return work.result()


class _Work(Values):
    """One item being redacted."""

    def __init__(
        self,
        item: dict[str, Any],
        policy: FieldPolicy,
        keys: RedactionKeys,
        known: KnownValues | None,
        tokens: TokenSource | None,
    ) -> None:
        super().__init__(policy, keys, known, tokens)
        self._item = dict(item)
        attributes = item.get("attributes")
        tool = attributes.get("tool") if isinstance(attributes, dict) else None
        name = tool.get("name") if isinstance(tool, dict) else tool
        self._rules = policy.applicable(str(item.get("kind", "")), name if isinstance(name, str) else "")
        self._subjects = [s for s in item.get("subjects") or [] if isinstance(s, str)]

    def run(self) -> None:
        """Apply the policy to every field that it is about."""
        try:
            if self._is_uniform():
                self._quiet = not self._walk()
                if self._quiet:
                    return
            else:
                self._quiet = not self._suspicious()
        except Exception:  # noqa: BLE001  # a look at all together is only a short cut
            self._quiet = False
        for name in _IDENTIFIERS:
            value = self._item.get(name)
            if isinstance(value, str):
                self._item[name] = self._guarded((name,), value, self._identifier)
        attributes = self._item.get("attributes")
        if isinstance(attributes, dict):
            made = {}
            for raw, value in attributes.items():
                # The record model names its members in small letters; whatever else stands here is looked at.
                plain = raw.isascii() and raw.replace("_", "a").isalpha() and raw.islower()
                name = raw if plain else self._guarded(("attributes", "*"), raw, self._text) or "failed"
                made[name] = None if value is None else self._guarded(("attributes", name), value, self._top)
            self._item["attributes"] = made

    def result(self) -> Redacted:
        """Return the item with what it says about its redaction."""
        redactions: tuple[Redaction, ...] = tuple([Redaction(*key, count) for key, count in self._done.items()])
        earlier = self._item.get("redactions")
        if earlier:
            known = [Redaction(**entry) for entry in earlier if _is_redaction(entry)]
            redactions = tuple(dict.fromkeys((*known, *redactions)))
        self._item["redactions"] = [entry.as_mapping() for entry in redactions]
        self._item["subjects"] = list(dict.fromkeys(self._subjects)) if self._subjects else []
        self._item["privacy_policy"] = self._policy.digest
        if self._item.get("classification") is None and self._types:
            self._item["classification"] = _classification(self._types)
        return Redacted(self._item, redactions, tuple(self._item["subjects"]), tuple(self._wanted))

    def _is_uniform(self) -> bool:
        """Tell whether the policy lets no raw value stay and says the same of all other fields of this item."""
        policy, attributes = self._policy, self._item.get("attributes")
        return (
            not self._rules
            and policy.text == "keep"
            and policy.content in {"digest", "drop"}
            and isinstance(attributes, dict)
            and "" not in attributes
        )

    def _walk(self) -> bool:
        """Take the raw values out, which nobody needs to look at then; tell whether something may be in the rest."""
        walk = Walk(lambda path, content: self._content(path, content, None))
        walk.texts += [str(self._item.get(name) or "") for name in _IDENTIFIERS]
        try:
            self._item["attributes"] = walk.members(self._item["attributes"], ("attributes",))
        except Exception:
            self._done.clear()  # every field is looked at by itself then, and noted once
            raise
        return self._policy.scanner.suspects(SEPARATOR.join(walk.texts), self._known)

    def _suspicious(self) -> bool:
        texts: list[str] = [str(self._item.get(name) or "") for name in _IDENTIFIERS]
        collect(self._item.get("attributes"), texts)
        return self._policy.scanner.suspects(SEPARATOR.join(texts), self._known)

    def _guarded(self, path: Path, value: Any, action: Callable[[Path, Any], Any]) -> Any:
        try:
            return action(path, value)
        except Exception:  # noqa: BLE001  # whatever went wrong: the field stays inside, and the item says so
            self._note(path, "failed", "drop")
            return [] if isinstance(value, list) else {} if isinstance(value, dict) and not is_content(value) else None

    def _identifier(self, path: Path, value: str) -> str:
        if self._quiet or not self._find(value, ()):
            return value
        return self._hashed(path, value, "identifier") or "[identifier]"

    def _top(self, path: Path, value: Any) -> Any:
        return self._node(path, value, None)

    def _node(self, path: Path, value: Any, inherited: FieldRule | None) -> Any:
        rule = self._rule(path) or inherited
        if is_content(value):
            return self._content(path, value, rule)
        if isinstance(value, dict) and (rule is None or rule.action == "keep"):
            return self._object(path, value, rule)
        if isinstance(value, list) and (rule is None or rule.action == "keep"):
            return [self._node((*path, "*"), entry, rule) for entry in value]
        action = rule.action if rule is not None else self._policy.text
        return self._act(path, value, action, rule)

    def _object(self, path: Path, value: dict[str, Any], rule: FieldRule | None) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, entry in value.items():
            shown = name if self._quiet or len(name) < MIN_SQUEEZED else self._text((*path, "*"), name)
            while shown in made:  # two names became one mark
                shown += "_"
            made[shown] = None if entry is None else self._node((*path, shown), entry, rule)
        return made

    def _content(self, path: Path, value: dict[str, Any], rule: FieldRule | None) -> dict[str, Any] | None:
        action = rule.action if rule is not None else self._policy.content
        raw = value.get("value")
        if action == "drop":
            self._note(path, "field", "drop")
            return None
        if raw is None:
            return value
        made = value | {"value": None}
        if made.get("digest") is None:
            made |= self._digest(raw)
        if action == "keep":
            made["value"] = self._node((*path, "value"), raw, rule or FieldRule(path, "keep"))
        elif action != "digest":
            made["value"] = self._act((*path, "value"), raw, action, rule)
        else:
            made["value"] = self._allowed((*path, "value"), raw)
            self._note(path, "field", "digest")
        return made

    def _allowed(self, path: Path, value: Any) -> Any:
        """Return what rules of the policy keep of a raw value, or None: an allow-list."""
        rule = self._rule(path)
        if rule is not None:
            return None if rule.action in {"drop", "digest"} else self._node(path, value, rule)
        if not any(
            paths.may_fit_below(each.path, path) for each in self._rules if each.action not in {"drop", "digest"}
        ):
            return None
        if isinstance(value, dict):
            kept = {name: self._allowed((*path, name), entry) for name, entry in value.items()}
            return {name: entry for name, entry in kept.items() if entry is not None} or None
        if isinstance(value, list):
            entries = [self._allowed((*path, "*"), entry) for entry in value]
            return entries if any(entry is not None for entry in entries) else None
        return None

    def _digest(self, raw: Any) -> dict[str, Any]:
        """Return digest and size of a raw value, salted with the item's salt; without salt there is no digest."""
        data = raw.encode() if isinstance(raw, str) else _canonical(raw)
        salt = self._item.get("salt")
        if data is None or not isinstance(salt, str):
            return {"size_bytes": None if data is None else len(data)}
        made = salted_digest(base64.urlsafe_b64decode(salt + "=" * (-len(salt) % 4)), hashlib.sha256(data).digest())
        return {"digest": base64.urlsafe_b64encode(made).rstrip(b"=").decode(), "size_bytes": len(data)}

    def _rule(self, path: Path) -> FieldRule | None:
        if not self._rules:
            return None
        return next((rule for rule in self._rules if paths.fits(rule.path, path)), None)


def _canonical(raw: Any) -> bytes | None:
    try:
        return encode_arguments(raw)
    except SealgateError:
        return None


def _is_redaction(entry: Any) -> bool:
    return isinstance(entry, dict) and set(entry) == {"path", "type", "action", "count"}


def _classification(types: Iterable[str]) -> str:
    seen = set(types)
    return next(name for name, members in _CLASSES if members is None or seen & members)
