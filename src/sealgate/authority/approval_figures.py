"""Fatigue, measured: how often people are asked, how long they take, whether they ever say no."""

from collections.abc import Iterable
from statistics import median
from typing import Final

import msgspec

from sealgate.model.approvals import ApprovalFigures, ApproverFigures

_HOUR_MS: Final = 3_600_000
_RECENT: Final = 256
_MAX_PROMPTS: Final = 10_000
_MAX_APPROVERS: Final = 1_000
ENOUGH: Final = 10
"""Answers of one person before a share of yes means anything."""


class Approver(msgspec.Struct):
    """One person's answers; ``waits_ms`` are the newest."""

    granted: int = 0
    refused: int = 0
    waits_ms: list[int] = []

    @property
    def always_yes(self) -> bool:
        """Whether enough was asked and nothing ever refused."""
        return not self.refused and self.granted >= ENOUGH


class Figures(msgspec.Struct):
    """The counts; part of the snapshot."""

    requested: int = 0
    granted: int = 0
    refused: int = 0
    expired: int = 0
    revoked: int = 0
    used: int = 0
    suppressed: int = 0
    prompts_ms: list[int] = []
    approvers: dict[str, Approver] = {}

    def asked(self, at_ms: int) -> None:
        """Count a request."""
        self.requested += 1
        self.prompts_ms.append(at_ms)
        if len(self.prompts_ms) > 2 * _MAX_PROMPTS or self.prompts_ms[0] < at_ms - 2 * _HOUR_MS:
            self.prompts_ms = [at for at in self.prompts_ms if at >= at_ms - _HOUR_MS][-_MAX_PROMPTS:]

    def answered(self, principal: str, *, grant: bool, after_ms: int) -> None:
        """Count an answer."""
        if grant:
            self.granted += 1
        else:
            self.refused += 1
        if principal not in self.approvers and len(self.approvers) >= _MAX_APPROVERS:
            return
        approver = self.approvers.setdefault(principal, Approver())
        approver.waits_ms = [*approver.waits_ms[1 - _RECENT :], after_ms]
        if grant:
            approver.granted += 1
        else:
            approver.refused += 1

    def describe(self, open_now: int, now_ms: int) -> ApprovalFigures:
        """Return the figures as the API answers them."""
        people = [
            ApproverFigures(
                name,
                one.granted,
                one.refused,
                round(one.granted / (one.granted + one.refused), 4),
                _median_s(one.waits_ms),
                one.always_yes,
            )
            for name, one in sorted(self.approvers.items())
        ]
        asked_enough = [one for one in self.approvers.values() if one.granted + one.refused >= ENOUGH]
        answers = self.granted + self.refused
        return ApprovalFigures(
            open_now,
            self.requested,
            self.granted,
            self.refused,
            self.expired,
            self.revoked,
            self.used,
            self.suppressed,
            sum(at > now_ms - _HOUR_MS for at in self.prompts_ms),
            _median_s(wait for one in self.approvers.values() for wait in one.waits_ms),
            round(self.granted / answers, 4) if answers else 0.0,
            round(sum(one.always_yes for one in asked_enough) / len(asked_enough), 4) if asked_enough else 0.0,
            people,
        )


def _median_s(waits_ms: Iterable[int]) -> float:
    values = list(waits_ms)
    return round(median(values) / 1000, 3) if values else 0.0


def by_name(figures: ApprovalFigures) -> dict[str, float]:
    """Return the figures by Prometheus name."""
    return {
        "sealgate_approvals_open": float(figures.open),
        "sealgate_approvals_requested_total": float(figures.requested),
        "sealgate_approvals_granted_total": float(figures.granted),
        "sealgate_approvals_refused_total": float(figures.refused),
        "sealgate_approvals_expired_total": float(figures.expired),
        "sealgate_approvals_revoked_total": float(figures.revoked),
        "sealgate_approvals_used_total": float(figures.used),
        "sealgate_approvals_suppressed_total": float(figures.suppressed),
        "sealgate_approvals_requested_last_hour": float(figures.requested_last_hour),
        "sealgate_approvals_answer_median_seconds": figures.median_s,
        "sealgate_approvals_yes_share": figures.yes_share,
        "sealgate_approvals_always_yes_share": figures.always_yes_share,
    }
