"""Finds personal data and secrets in a text: one pass that says which rules can match, then those rules alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import re2

from . import rules_contact, rules_finance, rules_national, rules_secrets
from .decoding import ESCAPED, IN_BASE64, IN_HEX, MAX_BLOBS, MAX_DEPTH, Blob, blobs, unescaped
from .findings import Finding, resolve
from .known import KnownValues
from .rules import CONTEXT_AFTER, CONTEXT_BEFORE, DEFAULT_MINIMUM, SURE, Rule, compile_pattern, options, written

RULES: Final = (*rules_contact.RULES, *rules_finance.RULES, *rules_national.RULES, *rules_secrets.RULES)
"""All rules that come with the package."""

TYPES: Final = tuple(sorted({rule.type for rule in RULES}))
"""The types of data that they find."""

MAX_TEXT: Final = 1 << 20
"""Characters of a text that are looked at; the rest counts as found, because nobody looked."""

UNSEARCHED: Final = "unsearched"
"""The type of what was too long, too deeply or too often encoded to be looked at."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    rule: Rule
    regexp: "re2._Regexp"
    context: "re2._Regexp | None"
    gate: int  # the number of the context in the set, or -1: the rule holds without context


class Scanner:
    """Detectors ready to run. Making one compiles the patterns (a tenth of a second): make it once and share it."""

    def __init__(
        self,
        types: Iterable[str] | None = None,
        custom: Iterable[Rule] = (),
        minimum: float = DEFAULT_MINIMUM,
    ) -> None:
        """Prepare the rules of these ``types`` (None: all) and the ``custom`` ones; report scores from ``minimum``."""
        wanted = None if types is None else frozenset(types)
        chosen = [rule for rule in RULES if wanted is None or rule.type in wanted]
        chosen = [rule for rule in chosen if max(rule.score, rule.context_score if rule.context else 0) >= minimum]
        rules = (*chosen, *custom)
        self._minimum = minimum
        self._set = re2.Set.SearchSet(options())
        for rule in rules:
            self._set.Add(written(rule))
        gates: dict[str, int] = {}
        for rule in rules:
            if rule.context and rule.score < minimum and rule.context not in gates:
                gates[rule.context] = self._set.Add(_context(rule.context))
        self._rules = [_compile(rule, gates.get(rule.context, -1) if rule.score < minimum else -1) for rule in rules]
        self._escaped = self._set.Add(ESCAPED)
        self._hex = self._set.Add(IN_HEX)
        self._base64 = self._set.Add(IN_BASE64)
        self._set.Compile()

    def find(self, text: str, *, hint: str = "", known: KnownValues | None = None) -> list[Finding]:
        """Return what is found, in order and without overlap.

        ``hint`` is the name of the field that holds the text: it counts as context. ``known`` are values of registered
        people, found in any spelling.
        """
        whole = len(text)
        if whole > MAX_TEXT:
            text = text[:MAX_TEXT]
        findings = list(self._find(text, hint, known, 0))
        if whole > MAX_TEXT:
            findings.append(Finding(MAX_TEXT, whole, UNSEARCHED, SURE))
        return resolve(findings) if findings else findings

    def suspects(self, text: str, known: KnownValues | None = None) -> bool:
        """Tell whether a text may hold something; False means that ``find`` finds nothing in it.

        Cheap for texts that hold nothing: many short texts are joined (by a line with a zero character), with the names
        of their fields, and asked once.
        """
        if len(text) > MAX_TEXT or (known is not None and known.find(text)):
            return True
        matched = self._set.Match(text)
        if not matched:
            return False
        ids = frozenset(matched)
        if self._escaped in ids or next(self._blobs(text, ids), None) is not None:
            return True
        return min(ids) < len(self._rules) and next(self._matches(text, ids, None), None) is not None

    def _find(self, text: str, hint: str, known: KnownValues | None, depth: int) -> Iterator[Finding]:
        if known is not None:
            yield from known.find(text)
        matched = self._set.Match(text) if text else None
        if not matched:
            return
        ids = frozenset(matched)
        yield from self._plain(text, hint, ids)
        if self._escaped in ids:
            yield from self._in_escapes(text, hint, known, depth)
        yield from self._in_blobs(self._blobs(text, ids), hint, known, depth)

    def _in_escapes(self, text: str, hint: str, known: KnownValues | None, depth: int) -> Iterator[Finding]:
        view = unescaped(text)
        if view is None:
            return
        if depth >= MAX_DEPTH:
            yield Finding(0, len(text), UNSEARCHED, SURE)
            return
        for finding in self._find(view.text, hint, known, depth + 1):
            start, end = view.span(finding.start, finding.end)
            if finding.decoded_from or text[start:end] != view.text[finding.start : finding.end]:
                yield Finding(start, end, finding.type, finding.score, _path("escapes", finding))

    def _blobs(self, text: str, ids: frozenset[int]) -> Iterator[Blob]:
        in_hex, in_base64 = self._hex in ids, self._base64 in ids
        return blobs(text, in_hex=in_hex, in_base64=in_base64) if in_hex or in_base64 else iter(())

    def _in_blobs(self, encoded: Iterator[Blob], hint: str, known: KnownValues | None, depth: int) -> Iterator[Finding]:
        for seen, blob in enumerate(encoded):
            if depth >= MAX_DEPTH or seen >= MAX_BLOBS:
                yield Finding(blob.start, blob.end, UNSEARCHED, SURE, blob.encoding)
                continue
            inner = next(iter(self._find(blob.text, hint, known, depth + 1)), None)
            if inner is not None:
                yield Finding(blob.start, blob.end, inner.type, inner.score, _path(blob.encoding, inner))

    def _plain(self, text: str, hint: str, ids: frozenset[int]) -> Iterator[Finding]:
        for compiled, start, end in self._matches(text, ids, hint):
            rule, score = compiled.rule, compiled.rule.score
            near = compiled.context is not None and score < rule.context_score
            if near and _near(compiled.context, text, start, end, hint, by_name=rule.by_name):
                score = rule.context_score
            if score >= self._minimum:
                yield Finding(start, end, rule.type, score)

    def _matches(self, text: str, ids: frozenset[int], hint: str | None) -> Iterator[tuple[_Compiled, int, int]]:
        """Yield what fits the patterns and passes the checks; ``hint`` None: the field's name may be anything."""
        searched = text.encode() if text.isascii() else text  # bytes spare the binding a count of characters
        for index in sorted(ids):
            if index >= len(self._rules):
                break
            compiled = self._rules[index]
            rule = compiled.rule
            if rule.by_name and hint is not None:
                if not _named(compiled.context, hint):
                    continue
            elif compiled.gate >= 0 and compiled.gate not in ids and not _named(compiled.context, hint):
                continue
            for match in compiled.regexp.finditer(searched):
                start, end = match.span(rule.group)
                if rule.extend is not None:
                    end = rule.extend(text, start)
                if start >= end or (rule.apart and not _apart(text, start, end)) or _within_uuid(text, start, end):
                    continue
                if rule.check is None or rule.check(text[start:end]):
                    yield compiled, start, end


def _compile(rule: Rule, gate: int) -> _Compiled:
    context = compile_pattern(_context(rule.context)) if rule.context else None
    return _Compiled(rule, compile_pattern(written(rule)), context, gate)


def _context(pattern: str) -> str:
    """Return a context's pattern without regard to case, with underscores ending words."""
    return "(?i)" + pattern.replace(r"\b", r"(?:\b|_)")


def _apart(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    if before and ((before.isascii() and before.isalnum()) or before == "_"):
        return False
    if after and ((after.isascii() and after.isalnum()) or after == "_"):
        return False
    # 1.2.3.4.5 and 12-34-56-78-90 are one number: a part of it is not looked at.
    if before in _LINKS and text[start].isdigit() and text[start - 2 : start - 1].isdigit():
        return False
    return not (after in _LINKS and text[end - 1].isdigit() and text[end + 1 : end + 2].isdigit())


def _within_uuid(text: str, start: int, end: int) -> bool:
    """Tell whether this is a part of a UUID: groups of it that happen to be digits are no telephone number.

    A whole UUID is not meant: it may be somebody's key.
    """
    if end - start >= _UUID_CHARACTERS:
        return False
    first = max(0, start - _UUID_CHARACTERS)
    window = text[first : end + _UUID_CHARACTERS]
    if window.count("-") < _UUID_HYPHENS:
        return False
    return any(match.start() <= start - first and end - first <= match.end() for match in _UUID.finditer(window))


_UUID: Final = compile_pattern(r"\b[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\b")
_UUID_CHARACTERS: Final = 36
_UUID_HYPHENS: Final = 4
_LINKS: Final = frozenset({".", "-", ":"})


def _near(context: "re2._Regexp | None", text: str, start: int, end: int, hint: str, *, by_name: bool) -> bool:
    if context is None:
        return False
    if _named(context, hint):
        return True
    if by_name:
        return False
    before, after = text[max(0, start - CONTEXT_BEFORE) : start], text[end : end + CONTEXT_AFTER]
    return bool(context.search(before) or context.search(after))


def _named(context: "re2._Regexp | None", hint: str | None) -> bool:
    return bool(hint and context is not None and context.search(hint))


def _path(encoding: str, inner: Finding) -> str:
    return f"{encoding}>{inner.decoded_from}" if inner.decoded_from else encoding
