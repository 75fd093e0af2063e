"""Finds personal data and secrets in a text: one pass that says which rules can match, then those rules alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import re2

from . import rules_contact, rules_finance, rules_national, rules_secrets
from .decoding import MAX_BLOBS, MAX_DEPTH, blobs, unescaped
from .findings import Finding, resolve
from .known import KnownValues
from .rules import CONTEXT_AFTER, CONTEXT_BEFORE, DEFAULT_MINIMUM, SURE, Rule, compile_pattern, options

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


class Scanner:
    """Detectors ready to run. Making one compiles the patterns (milliseconds): make it once and share it."""

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
        self._minimum = minimum
        self._rules = [_compile(rule) for rule in (*chosen, *custom)]
        self._set = re2.Set.SearchSet(options())
        for compiled in self._rules:
            self._set.Add(compiled.rule.pattern)
        if self._rules:
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
        return resolve(findings)

    def suspects(self, text: str, known: KnownValues | None = None) -> bool:
        """Tell whether a text may hold something; False means that ``find`` finds nothing in it, whatever the hint.

        Cheap for texts that hold nothing: many short texts are joined (by a line with a zero character) and asked once.
        """
        if len(text) > MAX_TEXT or (known is not None and known.find(text)):
            return True
        if self._candidates(text) or unescaped(text) is not None:
            return True
        return any(True for _ in blobs(text))

    def _candidates(self, text: str) -> bool:
        for index in self._set.Match(text) or () if self._rules and text else ():
            rule = self._rules[index].rule
            for match in self._rules[index].regexp.finditer(text):
                start, end = match.span(rule.group)
                if rule.check is None or rule.check(text[start:end]):
                    return True
        return False

    def _find(self, text: str, hint: str, known: KnownValues | None, depth: int) -> Iterator[Finding]:
        yield from self._plain(text, hint)
        if known is not None:
            yield from known.find(text)
        view = unescaped(text)
        if view is not None:
            if depth < MAX_DEPTH:
                for finding in self._find(view.text, hint, known, depth + 1):
                    start, end = view.span(finding.start, finding.end)
                    if finding.decoded_from or text[start:end] != view.text[finding.start : finding.end]:
                        yield Finding(start, end, finding.type, finding.score, _path("escapes", finding))
            else:
                yield Finding(0, len(text), UNSEARCHED, SURE)
        seen = 0
        for blob in blobs(text):
            seen += 1
            if depth >= MAX_DEPTH or seen > MAX_BLOBS:
                yield Finding(blob.start, blob.end, UNSEARCHED, SURE, blob.encoding)
                continue
            inner = next(iter(self._find(blob.text, hint, known, depth + 1)), None)
            if inner is not None:
                yield Finding(blob.start, blob.end, inner.type, inner.score, _path(blob.encoding, inner))

    def _plain(self, text: str, hint: str) -> Iterator[Finding]:
        if not text or not self._rules:
            return
        for index in self._set.Match(text) or ():
            compiled = self._rules[index]
            rule = compiled.rule
            if rule.by_name and not (hint and compiled.context is not None and compiled.context.search(hint)):
                continue
            for match in compiled.regexp.finditer(text):
                start, end = match.span(rule.group)
                if start == end or (rule.apart and not _apart(text, start, end)):
                    continue
                if rule.check is not None and not rule.check(text[start:end]):
                    continue
                score = rule.score
                if (
                    compiled.context is not None
                    and score < rule.context_score
                    and _near(compiled.context, text, start, end, hint)
                ):
                    score = rule.context_score
                if score >= self._minimum:
                    yield Finding(start, end, rule.type, score)


def _compile(rule: Rule) -> _Compiled:
    context = compile_pattern(f"(?i){rule.context}") if rule.context else None
    return _Compiled(rule, compile_pattern(rule.pattern), context)


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


_LINKS: Final = frozenset({".", "-", ":"})


def _near(context: "re2._Regexp", text: str, start: int, end: int, hint: str) -> bool:
    if hint and context.search(hint.replace("_", " ")):
        return True
    return bool(
        context.search(text[max(0, start - CONTEXT_BEFORE) : start].replace("_", " "))
        or context.search(text[end : end + CONTEXT_AFTER].replace("_", " "))
    )


def _path(encoding: str, inner: Finding) -> str:
    return f"{encoding}>{inner.decoded_from}" if inner.decoded_from else encoding
