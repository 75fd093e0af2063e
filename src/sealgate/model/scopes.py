"""Scopes of data keys: whose data a key seals, under which retention class, and how long one key is used.

``<tenant>/<subject token or ->/<retention class>``. A key per scope and period is what can be destroyed alone: a
person's keys to erase the person, a period's keys when its class has run out.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

DEFAULT_TENANT: Final = "default"
NOBODY: Final = "-"
"""In the place of the subject: the data of nobody in particular, or of several."""

SUBJECT_TOKEN: Final = re.compile(r"sub_[a-z2-7]{26}", re.ASCII)
"""A registered subject, as records name it: 130 random bits, base 32."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose data, under which retention class. ``subject`` is a subject token, or None."""

    tenant: str
    subject: str | None
    retention_class: str

    @property
    def text(self) -> str:
        """The scope as the key store names it."""
        return f"{self.tenant}/{self.subject or NOBODY}/{self.retention_class}"

    @classmethod
    def parse(cls, text: str) -> "Scope":
        """Return the scope that ``text`` names; the older form ``<tenant>/<retention class>`` has no subject."""
        tenant, _, rest = text.partition("/")
        subject, slash, retention_class = rest.partition("/")
        if slash and subject == NOBODY:
            return cls(tenant, None, retention_class)
        if slash and SUBJECT_TOKEN.fullmatch(subject):
            return cls(tenant, subject, retention_class)
        return cls(tenant, None, rest)


def subject_prefix(subject: str, tenant: str = DEFAULT_TENANT) -> str:
    """Return what all scopes of a subject begin with."""
    return f"{tenant}/{subject}/"


class Period(StrEnum):
    """How long one key seals new bodies. A period's bodies can be destroyed together, not one by one."""

    DAY = "day"
    MONTH = "month"

    @classmethod
    def for_maximum(cls, days: int | None) -> "Period":
        """Return the period for a class whose data must go after ``days``: a day up to 92 days, else a month.

        A key lives until the last body under it is due, so a month's key would keep a 30-day body up to 61 days.
        """
        return cls.DAY if days is not None and days <= 92 else cls.MONTH

    def span(self, unix_ms: int) -> tuple[int, int]:
        """Return where the period that holds this moment begins and ends (exclusive), UTC, in Unix milliseconds."""
        time = datetime.fromtimestamp(unix_ms // 1000, UTC)
        if self is Period.DAY:
            begin = datetime(time.year, time.month, time.day, tzinfo=UTC)
            end = begin + timedelta(days=1)
        else:
            begin = datetime(time.year, time.month, 1, tzinfo=UTC)
            end = datetime(time.year + time.month // 12, time.month % 12 + 1, 1, tzinfo=UTC)
        return int(begin.timestamp()) * 1000, int(end.timestamp()) * 1000
