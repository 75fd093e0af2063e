"""One text with everything that is found in it replaced by marks."""

from collections.abc import Callable
from typing import Final

from .findings import Finding
from .known import KnownValues
from .scanner import Scanner

MAX_ROUNDS: Final = 8
"""Texts are looked at again after marks were set, until nothing is found."""


def redact_text(
    text: str, scanner: Scanner, *, known: KnownValues | None = None, hint: str = ""
) -> tuple[str, list[Finding]]:
    """Return a text with everything found replaced by marks such as ``[email]``, and the findings of the first look.

    For texts outside items: logs, error messages. Never raises; what cannot be looked at becomes ``[unsearched]``.
    """
    try:
        return replace_found(text, scanner, known, hint, lambda finding, _: f"[{finding.type}]")
    except Exception:  # noqa: BLE001  # whatever went wrong: the text stays inside
        return "[unsearched]", []


def replace_found(
    text: str,
    scanner: Scanner,
    known: KnownValues | None,
    hint: str,
    replacement: Callable[[Finding, str], str],
) -> tuple[str, list[Finding]]:
    """Return a text with what is found replaced, until nothing is, and the findings of the first look."""
    first: list[Finding] | None = None
    marks: list[str] = []
    for _ in range(MAX_ROUNDS):
        findings = [f for f in scanner.find(text, hint=hint, known=known) if text[f.start : f.end] not in marks]
        if first is None:
            first = findings
        if not findings:
            return text, first
        parts, position = [], 0
        for finding in findings:
            mark = replacement(finding, text[finding.start : finding.end])
            marks.append(mark)
            parts += [text[position : finding.start], mark]
            position = finding.end
        text = "".join([*parts, text[position:]])
    return "[unsearched]", first or []
