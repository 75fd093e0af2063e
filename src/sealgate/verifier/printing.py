"""How a report looks in a terminal, and progress on long work."""

import sys
import time
from typing import Final, TextIO

import orjson

from .report import WORDS, Outcome, Report

_MARKS: Final = {Outcome.OK: "ok", Outcome.FAILED: "FAILED", Outcome.UNPROVEN: "unproven", Outcome.SKIPPED: "skipped"}
_SECONDS_BETWEEN_LINES: Final = 0.5


def print_report(report: Report, out: TextIO) -> None:
    """Print the numbered steps and the verdict line. What evidence says is escaped: it cannot move the cursor."""
    width = max((len(step.name) for step in report.steps), default=0)
    for step in report.steps:
        print(f"{step.number:>2}. {step.name:<{width}}  {_MARKS[step.outcome]:<8}  {printable(step.message)}", file=out)
    if report.first_bad_index is not None:
        print(f"first bad record: {report.first_bad_index}", file=out)
    print(f"verdict: {WORDS[report.verdict]}: {printable(report.reason)}", file=out)


def print_json(report: Report, out: TextIO) -> None:
    """Print one JSON object on one line."""
    print(orjson.dumps(report.as_json()).decode(), file=out)


def printable(text: str) -> str:
    """Return ``text`` with everything that is not a plain printable character escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class Progress:
    """A line on stderr that is rewritten while records pass; silent where stderr is not a terminal."""

    def __init__(self, total: int, stream: TextIO = sys.stderr) -> None:
        self._total = max(total, 1)
        self._stream = stream
        self._shown = stream.isatty()
        self._started = self._last = time.monotonic()

    def at(self, done: int) -> None:
        """Show how far the work is."""
        now = time.monotonic()
        if not self._shown or now - self._last < _SECONDS_BETWEEN_LINES:
            return
        self._last = now
        rate = done / max(now - self._started, 0.001)
        line = f"\r{done:,} of {self._total:,} records ({100 * done // self._total} %), {rate:,.0f}/s "
        self._stream.write(line)
        self._stream.flush()

    def end(self) -> None:
        """Clear the line."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
