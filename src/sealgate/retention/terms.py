"""Terms: the shortest and longest time that rules allow, and what follows where they contradict each other.

A rule speaks of the payload (the body) and of the receipt (the statement). Several rules may govern one record: the
law of the data, the regime of the business, the place. Then the longest minimum and the shortest maximum count. Where
the minimum is longer than the maximum, payload and receipt part: the payload goes at its maximum, the pseudonymous
receipt stays until the minimum is over.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sealgate.model.errors import InputError

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What one class demands, in days. ``maximum`` None: nothing has to go; ``receipt`` None: statements stay.

    ``minimum``: evidence must last so long. ``maximum``: the payload must be gone then. ``receipt``: the statement is
    not needed any longer than this.
    """

    minimum: int = 0
    maximum: int | None = None
    receipt: int | None = None

    def __post_init__(self) -> None:
        for days in (self.minimum, self.maximum, self.receipt):
            if days is not None and not 0 <= days <= 36_525:
                raise InputError(f"{days} days cannot be a retention time", hint="0 to 36525")


@dataclass(frozen=True, slots=True)
class Effective:
    """When each layer of a record expires, in days after the record's time; None: never.

    ``split`` tells that the rules contradict each other and payload and receipt have parted.
    """

    body: int | None
    statement: int | None
    split: bool

    def body_due(self, time_ms: int, now_ms: int) -> bool:
        """Tell whether the body of a record of ``time_ms`` has to be gone."""
        return _due(self.body, time_ms, now_ms)

    def statement_due(self, time_ms: int, now_ms: int) -> bool:
        """Tell whether its statement may go too."""
        return _due(self.statement, time_ms, now_ms)


KEEP: Final = Effective(None, None, split=False)
"""Terms of what no rule speaks of: nothing is deleted by guessing."""


def _due(days: int | None, time_ms: int, now_ms: int) -> bool:
    return days is not None and now_ms - time_ms >= days * DAY_MS


def combine(terms: Iterable[Terms]) -> Effective:
    """Return when things expire under all of ``terms`` together: longest minimum, shortest maximum.

    The body goes at the maximum, also where that is before the minimum (``split``). The statement goes at the longest
    of the minimum, the body's end and the shortest ``receipt``; while one of these is open, never.
    """
    every = list(terms)
    if not every:
        return KEEP
    minimum = max(item.minimum for item in every)
    body = min((item.maximum for item in every if item.maximum is not None), default=None)
    receipt = min((item.receipt for item in every if item.receipt is not None), default=None)
    statement = None if body is None or receipt is None else max(minimum, body, receipt)
    return Effective(body, statement, split=body is not None and minimum > body)
