"""What a detector found, and how findings that touch each other become one."""

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Finding:
    """A span of a text that holds personal data or a secret.

    ``score`` is 0 to 1: 0.3 fits the form, 0.6 form and check digits or context, 0.9 hardly anything else looks so.
    ``decoded_from`` names the encodings that hid it, outermost first (``base64``, ``hex``, ``escapes``, …), else empty.
    """

    start: int
    end: int
    type: str
    score: float
    decoded_from: str = ""


def resolve(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in order, without overlap: the best score wins and grows over whatever it overlaps.

    Growing instead of dropping means that no part of a weaker finding stays readable.
    """
    result: list[Finding] = []
    for finding in sorted(findings, key=lambda each: (each.start, -each.end)):
        if result and finding.start < result[-1].end:
            last = result[-1]
            better = (
                finding if (finding.score, finding.end - finding.start) > (last.score, last.end - last.start) else last
            )
            result[-1] = replace(better, start=last.start, end=max(last.end, finding.end))
        else:
            result.append(finding)
    return result
