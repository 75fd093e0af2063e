"""The client: one line around a function, and it runs only with a permit.

Reads top down: ``guards`` (the decorator), ``scopes`` (task, step), ``client`` → ``enforcement`` (one guarded call) →
``flows`` (what is asked in which order) → ``calls`` and ``answers`` (building requests, judging answers; pure) →
``transport`` and ``tls`` (I/O), ``delivery`` and ``spool`` (outcomes that wait). It imports nothing of the server.
"""

from sealgate.sdk.answers import Decision, Obligation, Permit, Receipt, Recorded
from sealgate.sdk.client import AsyncClient, Client, configure, default_client, log_event, step, task
from sealgate.sdk.errors import (
    ActionNotRun,
    ArgumentsRefused,
    AuthorityUnreachable,
    Denied,
    NotCoverable,
    ObligationUnmet,
    OutcomeNotReported,
    RequestRefused,
    Silence,
    SpoolFull,
    SpoolUnusable,
    UnreadableAnswer,
)
from sealgate.sdk.guards import Guard, guard
from sealgate.sdk.logs import EventHandler
from sealgate.sdk.scopes import Step, Task
from sealgate.sdk.tracing import carry, current_traceparent

Sealgate = Client

__all__ = [
    "ActionNotRun",
    "ArgumentsRefused",
    "AsyncClient",
    "AuthorityUnreachable",
    "Client",
    "Decision",
    "Denied",
    "EventHandler",
    "Guard",
    "NotCoverable",
    "Obligation",
    "ObligationUnmet",
    "OutcomeNotReported",
    "Permit",
    "Receipt",
    "Recorded",
    "RequestRefused",
    "Sealgate",
    "Silence",
    "SpoolFull",
    "SpoolUnusable",
    "Step",
    "Task",
    "UnreadableAnswer",
    "carry",
    "configure",
    "current_traceparent",
    "default_client",
    "guard",
    "log_event",
    "step",
    "task",
]
