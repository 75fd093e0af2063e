"""Tasks that the authority knows: started, ended or expired, and what is asked in them."""

from typing import Final

import msgspec

from .evaluation import Recorded

DEFAULT_TASK_S: Final = 8 * 3600
MAX_TASK_S: Final = 7 * 86_400
MAX_GOAL_CHARS: Final = 4096


class TaskRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Start a task. ``goal`` is a claim; ``id`` is the caller's own, or the authority makes one."""

    agent: str
    goal: str = ""
    id: str | None = None
    on_behalf_of: list[str] = []
    delegation: str | None = None
    parent: str | None = None
    expires_in_s: int | None = None


class TaskStarted(Recorded, frozen=True):
    """The task is open until it is ended or ``expires_at``."""

    task_id: str
    expires_at: str


class TaskEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a task ends."""

    reason: str = ""


class TaskEnded(Recorded, frozen=True):
    """The task is over, with all below it; so many unused permits were taken back."""

    task_id: str
    tasks: list[str]
    permits_revoked: int


class OpenTask(msgspec.Struct, frozen=True, kw_only=True):
    """An open task as it is kept and listed."""

    task_id: str
    agent: str
    principal: str
    parent: str | None
    delegation: str | None
    on_behalf_of: list[str]
    expires_at: str
    expires_ms: int


class OpenTasks(msgspec.Struct, frozen=True):
    """All open tasks that the caller may see."""

    tasks: list[OpenTask]
