"""The field policy: what becomes of each field before it leaves the process. Strict: an unknown key is refused.

Without a policy the smallest holds: raw inputs and outputs are digest and size alone; everything else that is text goes
through all detectors, and what they find is masked.
"""

import difflib
import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any, Final

import orjson
import re2

from ..model.errors import ConfigurationError
from . import paths
from .paths import Path
from .rules import DEFAULT_MINIMUM, SURE, Rule, compile_pattern
from .scanner import TYPES, UNSEARCHED, Scanner

ACTIONS: Final = ("keep", "drop", "mask", "hash", "token", "digest")
"""Keep (detectors still run), remove, replace by a mark, a keyed hash, a token of the vault, digest and size."""
FINDING_ACTIONS: Final = ("mask", "hash", "token", "drop")
"""What may become of a finding inside a text; ``drop`` drops the whole text."""

MAX_RULES: Final = 1000
MAX_PATTERNS: Final = 100
MAX_PATTERN_LENGTH: Final = 1000

_MEMBERS: Final = ("version", "defaults", "detectors", "actions", "field", "pattern")


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What to do with the fields that ``path`` describes, of items of this ``kind`` and ``tool`` (both may hold ``*``).

    ``detectors`` false keeps a kept field as it is. ``type`` names what a token or hash stands for.
    """

    path: Path
    action: str
    kind: str = "*"
    tool: str = "*"
    detectors: bool = True
    type: str = "field"


@dataclass(frozen=True, slots=True)
class CustomPattern:
    """A pattern of the site: re2 syntax; ``context`` is a pattern that must be near for the ``score`` to count."""

    name: str
    pattern: str
    context: str = ""
    ignore_case: bool = False


class FieldPolicy:
    """A checked policy, ready to be applied. ``digest`` is the SHA-256 of its canonical form, lower-case hex."""

    def __init__(
        self,
        rules: Iterable[FieldRule] = (),
        patterns: Iterable[CustomPattern] = (),
        *,
        content: str = "digest",
        text: str = "keep",
        off: Iterable[str] = (),
        actions: Mapping[str, str] | None = None,
        minimum: float = DEFAULT_MINIMUM,
    ) -> None:
        """Take what ``from_mapping`` reads; see there."""
        self.rules = tuple(rules)
        self.patterns = tuple(patterns)
        self.content = content
        self.text = text
        self.off = tuple(sorted(set(off)))
        self.actions = dict(actions or {})
        self.minimum = minimum
        custom = [_rule(pattern) for pattern in self.patterns]
        self.scanner = Scanner((name for name in TYPES if name not in self.off), custom, minimum)
        self.digest = hashlib.sha256(self._canonical()).hexdigest()
        self.clean: set[tuple[Path, str]] = set()
        """Short texts in which the scanner found nothing, with the last names of their path: a memory, never a rule."""
        self._applicable: dict[tuple[str, str], tuple[FieldRule, ...]] = {}

    @classmethod
    def from_toml(cls, text: str) -> "FieldPolicy":
        """Return the policy of a TOML text. Raises as ``from_mapping``, and where the text is no TOML."""
        try:
            table = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ConfigurationError(f"the privacy policy is not TOML: {error}") from error
        return cls.from_mapping(table)

    @classmethod
    def from_mapping(cls, table: Mapping[str, Any]) -> "FieldPolicy":
        """Return the policy of a parsed file.

        Raises:
            ConfigurationError: an unknown key, action, detector, a bad path or pattern, too many of them.
        """
        _known(table, _MEMBERS, "the policy")
        if table.get("version", 1) != 1:
            raise ConfigurationError("`version` of the privacy policy is not 1", hint="this release reads version 1")
        defaults = _table(table, "defaults", ("content", "text"))
        detectors = _table(table, "detectors", ("on", "off", "minimum_score"))
        patterns = [_pattern(entry) for entry in _tables(table, "pattern", MAX_PATTERNS)]
        types = {*TYPES, *(pattern.name for pattern in patterns), UNSEARCHED}
        return cls(
            [_field(entry) for entry in _tables(table, "field", MAX_RULES)],
            patterns,
            content=_choice(defaults.get("content", "digest"), ACTIONS, "defaults.content"),
            text=_choice(defaults.get("text", "keep"), ACTIONS, "defaults.text"),
            off=_off(detectors),
            actions=_finding_actions(_table(table, "actions", ("default", *sorted(types)))),
            minimum=_score(detectors.get("minimum_score", DEFAULT_MINIMUM)),
        )

    def action_for(self, finding_type: str) -> str:
        """Return what becomes of a finding of this type inside a text."""
        return self.actions.get(finding_type, self.actions.get("default", "mask"))

    def applicable(self, kind: str, tool: str) -> tuple[FieldRule, ...]:
        """Return the rules for items of a kind and tool, in the order of the file: the first that fits a path holds."""
        key = (kind, tool)
        found = self._applicable.get(key)
        if found is None:
            found = tuple(r for r in self.rules if fnmatchcase(kind, r.kind) and fnmatchcase(tool, r.tool))
            if len(self._applicable) < 1024:
                self._applicable[key] = found
        return found

    def as_mapping(self) -> dict[str, Any]:
        """Return the policy as ``from_mapping`` reads it, all defaults written out."""
        return {
            "version": 1,
            "defaults": {"content": self.content, "text": self.text},
            "detectors": {"off": list(self.off), "minimum_score": self.minimum},
            "actions": self.actions,
            "field": [
                {"path": paths.show(rule.path), "action": rule.action, "kind": rule.kind, "tool": rule.tool}
                | {"detectors": rule.detectors, "type": rule.type}
                for rule in self.rules
            ],
            "pattern": [
                {"name": each.name, "pattern": each.pattern, "context": each.context, "ignore_case": each.ignore_case}
                for each in self.patterns
            ],
        }

    def _canonical(self) -> bytes:
        return orjson.dumps(self.as_mapping(), option=orjson.OPT_SORT_KEYS)


def _rule(pattern: CustomPattern) -> Rule:
    written = f"(?i){pattern.pattern}" if pattern.ignore_case else pattern.pattern
    score = 0.1 if pattern.context else SURE
    return Rule(pattern.name, written, score, None, pattern.context, SURE, apart=False)


def _field(entry: Mapping[str, Any]) -> FieldRule:
    _known(entry, [each.name for each in fields(FieldRule)], "[[field]]")
    for name in ("path", "action"):
        if name not in entry:
            raise ConfigurationError(f"`{name}` is missing in a [[field]]", hint="give path and action")
    detectors = entry.get("detectors", True)
    if not isinstance(detectors, bool):
        raise ConfigurationError("`detectors` of a [[field]] is not true or false")
    return FieldRule(
        paths.parse(_string(entry["path"], "field.path")),
        _choice(entry["action"], ACTIONS, "field.action"),
        _string(entry.get("kind", "*"), "field.kind"),
        _string(entry.get("tool", "*"), "field.tool"),
        detectors,
        _name(entry.get("type", "field"), "field.type"),
    )


def _pattern(entry: Mapping[str, Any]) -> CustomPattern:
    _known(entry, [each.name for each in fields(CustomPattern)], "[[pattern]]")
    name = _name(entry.get("name"), "pattern.name")
    if name in TYPES or name in {"default", UNSEARCHED}:
        raise ConfigurationError(f"`{name}` is the name of a detector of ours", hint="choose another name")
    ignore_case = entry.get("ignore_case", False)
    if not isinstance(ignore_case, bool):
        raise ConfigurationError("`ignore_case` of a [[pattern]] is not true or false")
    context = _string(entry.get("context", ""), "pattern.context", empty=True)
    return CustomPattern(
        name, _compilable(entry.get("pattern"), name), context and _compilable(context, name), ignore_case
    )


def _compilable(value: Any, name: str) -> str:
    text = _string(value, "pattern.pattern")
    if len(text) > MAX_PATTERN_LENGTH:
        raise ConfigurationError(f"pattern `{name}` has {len(text)} characters", hint=f"at most {MAX_PATTERN_LENGTH}")
    try:
        matches_nothing = compile_pattern(text).match("") is not None
    except re2.error as error:
        raise ConfigurationError(f"pattern `{name}` is not one that re2 can match: {error}") from error
    if matches_nothing:
        raise ConfigurationError(f"pattern `{name}` fits an empty text", hint="it would be found everywhere")
    return text


def _off(detectors: Mapping[str, Any]) -> list[str]:
    for key in ("on", "off"):
        values = detectors.get(key, [])
        if not isinstance(values, list):
            raise ConfigurationError(f"`detectors.{key}` is not a list")
        for value in values:
            _choice(value, TYPES, f"detectors.{key}")
    if "on" in detectors:
        if "off" in detectors:
            raise ConfigurationError("`detectors` has both `on` and `off`", hint="give one of them")
        return [name for name in TYPES if name not in detectors["on"]]
    return list(detectors.get("off", []))


def _finding_actions(table: Mapping[str, Any]) -> dict[str, str]:
    return {name: _choice(action, FINDING_ACTIONS, f"actions.{name}") for name, action in table.items()}


def _score(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigurationError("`detectors.minimum_score` is not a number from 0 to 1")
    return float(value)


def _known(table: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    known = list(names)
    for name in table:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
            hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(known[:12])}"
            raise ConfigurationError(f"`{str(name)[:80]}` is not a key of {where}", hint=hint)


def _table(table: Mapping[str, Any], name: str, members: Iterable[str]) -> Mapping[str, Any]:
    value = table.get(name, {})
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"`{name}` is not a table", hint=f"write [{name}]")
    _known(value, members, f"[{name}]")
    return value


def _tables(table: Mapping[str, Any], name: str, most: int) -> list[Mapping[str, Any]]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise ConfigurationError(f"`{name}` is not an array of tables", hint=f"write [[{name}]]")
    if len(value) > most:
        raise ConfigurationError(f"there are {len(value)} entries of [[{name}]]", hint=f"at most {most}")
    return value


def _string(value: Any, where: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or (not value and not empty):
        raise ConfigurationError(f"`{where}` is not a string with something in it")
    return value


def _name(value: Any, where: str) -> str:
    text = _string(value, where)
    if len(text) > 40 or not text.isascii() or not text.replace("_", "a").isalnum() or text != text.lower():
        raise ConfigurationError(f"`{where}` is `{text[:60]}`", hint="lower-case letters, digits and _, at most 40")
    return text


def _choice(value: Any, known: Iterable[str], where: str) -> str:
    choices = list(known)
    if value not in choices:
        close = difflib.get_close_matches(str(value), choices, n=1, cutoff=0.5)
        hint = f"did you mean `{close[0]}`?" if close else f"one of {', '.join(choices[:12])}"
        raise ConfigurationError(f"`{where}` is `{str(value)[:60]}`", hint=hint)
    return str(value)
