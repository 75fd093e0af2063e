"""Tasks of agents, and on whose behalf they act."""

from typing import Final

from sealgate.model.delegations import (
    DelegationGranted,
    DelegationRequest,
    DelegationRevoke,
    DelegationRevoked,
    Delegations,
)
from sealgate.model.tasks import OpenTasks, TaskEnd, TaskEnded, TaskRequest, TaskStarted
from sealgate.server.route import KNOWN, Route, get, post, roles

ROUTES: Final[tuple[Route, ...]] = (
    post(
        "/v1/tasks",
        "start_task",
        "Start a task of an agent",
        takes=TaskRequest,
        answer=TaskStarted,
        roles=roles("enforce", "operate"),
        codes=("task-exists", "task-unknown", "subject-not-allowed"),
    ),
    post(
        "/v1/tasks/{id}/end",
        "end_task",
        "End a task and all below it: nothing is decided in them any more, what was issued for them is taken back",
        takes=TaskEnd,
        answer=TaskEnded,
        roles=roles("enforce", "operate"),
        codes=("task-unknown",),
    ),
    get(
        "/v1/tasks",
        "tasks",
        "The open tasks of the caller's agents",
        answer=OpenTasks,
        roles=roles("enforce", "operate", "read"),
    ),
    post(
        "/v1/delegations",
        "grant_delegation",
        "Let an agent act on behalf of a person or another agent; below a delegation only narrower",
        takes=DelegationRequest,
        answer=DelegationGranted,
        roles=KNOWN,
        codes=("delegation-unknown", "subject-not-allowed"),
    ),
    post(
        "/v1/delegations/{id}/revoke",
        "revoke_delegation",
        "Take a delegation back with everything below it",
        takes=DelegationRevoke,
        answer=DelegationRevoked,
        roles=KNOWN,
        codes=("delegation-unknown",),
    ),
    get(
        "/v1/delegations",
        "delegations",
        "The delegations in force that the caller may see",
        answer=Delegations,
        roles=KNOWN,
    ),
)
