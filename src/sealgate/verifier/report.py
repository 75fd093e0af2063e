"""What a verification says: numbered steps, one verdict, an exit code. Pure values, no I/O.

A step that *fails* ends the verification with its verdict. A step that stays *unproven* lets the others run, so that an
alteration further down is still found; the verdict is then at best "not proven".
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NoReturn

from ..model.errors import AlteredError, EncodingError, ForkError, GapError, NotProvenError, SealgateError


class Verdict(StrEnum):
    """The closed set of answers, as they appear in ``--json``."""

    VERIFIED = "verified"
    ALTERED = "altered"
    NOT_PROVEN = "not_proven"
    SELF_CONSISTENT = "self_consistent"
    FORK = "fork"
    GAP = "gap"
    UNREADABLE = "unreadable"


WORDS: Final = {
    Verdict.VERIFIED: "verified",
    Verdict.ALTERED: "altered",
    Verdict.NOT_PROVEN: "not proven",
    Verdict.SELF_CONSISTENT: "self-consistent only",
    Verdict.FORK: "fork",
    Verdict.GAP: "gap",
    Verdict.UNREADABLE: "unreadable",
}
"""The verdicts as people read them."""

EXIT_CODES: Final = {
    Verdict.VERIFIED: 0,
    Verdict.UNREADABLE: 2,
    Verdict.ALTERED: 10,
    Verdict.NOT_PROVEN: 11,
    Verdict.SELF_CONSISTENT: 12,
    Verdict.FORK: 13,
    Verdict.GAP: 14,
}


class Outcome(StrEnum):
    """What became of one step."""

    OK = "ok"
    FAILED = "failed"
    UNPROVEN = "unproven"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered check and what it found."""

    number: int
    name: str
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """The answer. ``first_bad_index`` names the first bad record where it is known; ``facts`` are what was read."""

    verdict: Verdict
    reason: str
    steps: tuple[Step, ...]
    first_bad_index: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """The process exit code of this verdict."""
        return EXIT_CODES[self.verdict]

    def as_json(self) -> dict[str, Any]:
        """Return the one object that ``--json`` prints."""
        return {
            "verdict": self.verdict.value,
            "exit_code": self.exit_code,
            "reason": self.reason,
            "first_bad_index": self.first_bad_index,
            "steps": [
                {"number": step.number, "name": step.name, "outcome": step.outcome.value, "message": step.message}
                for step in self.steps
            ],
            **self.facts,
        }


class UnreadableError(SealgateError):
    """The input is not something that can be verified: wrong file, too large, a broken trust file."""


class StopError(Exception):
    """A step failed; nothing after it means anything. Never leaves this package."""


class Steps:
    """Collects the steps of ``names`` and ends in a report."""

    def __init__(self, names: Sequence[str], *, trusted: bool) -> None:
        self._names = names
        self._steps: list[Step] = []
        self._trusted = trusted
        self._failure: tuple[Verdict, str] | None = None
        self.first_bad_index: int | None = None
        self.facts: dict[str, Any] = {}

    def record(self, name: str, outcome: Outcome, message: str) -> None:
        """Add a step; its number is its place in the list of names."""
        self._steps.append(Step(self._names.index(name) + 1, name, outcome, message))

    def ok(self, name: str, message: str) -> None:
        """Add a step that passed."""
        self.record(name, Outcome.OK, message)

    def skipped(self, name: str, message: str) -> None:
        """Add a step that does not apply."""
        self.record(name, Outcome.SKIPPED, message)

    def unproven(self, name: str, message: str) -> None:
        """Add a step that could not be decided; the verdict is at best "not proven"."""
        self.record(name, Outcome.UNPROVEN, message)

    def fail(self, name: str, verdict: Verdict, message: str) -> NoReturn:
        """Add a step that failed and stop.

        Raises:
            StopError: always.
        """
        self.record(name, Outcome.FAILED, message)
        self._failure = (verdict, message)
        raise StopError

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Turn our errors inside the block into the outcome of step ``name``.

        Raises:
            StopError: the step failed.
        """
        try:
            yield
        except NotProvenError as error:
            self.unproven(name, error.message)
        except SealgateError as error:
            if isinstance(error, AlteredError) and error.index is not None:
                self.first_bad_index = error.index
            self.fail(name, verdict_of(error), error.message)

    def report(self) -> Report:
        """Return the verdict over all steps."""
        unproven = [step for step in self._steps if step.outcome is Outcome.UNPROVEN]
        if self._failure:
            verdict, reason = self._failure
        elif unproven:
            verdict, reason = Verdict.NOT_PROVEN, unproven[0].message
        elif not self._trusted:
            verdict, reason = Verdict.SELF_CONSISTENT, "no trust file was given, so no signature was checked"
        else:
            verdict, reason = Verdict.VERIFIED, "every step passed"
        return Report(verdict, reason, tuple(sorted(self._steps, key=_number)), self.first_bad_index, self.facts)


def _number(step: Step) -> int:
    return step.number


def verdict_of(error: SealgateError) -> Verdict:
    """Return the verdict that an error leads to. Evidence outside its strict form counts as altered."""
    match error:
        case UnreadableError():
            return Verdict.UNREADABLE
        case ForkError():
            return Verdict.FORK
        case GapError():
            return Verdict.GAP
        case NotProvenError():
            return Verdict.NOT_PROVEN
        case AlteredError() | EncodingError():
            return Verdict.ALTERED
        case _:
            return Verdict.UNREADABLE
