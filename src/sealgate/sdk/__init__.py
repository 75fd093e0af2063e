"""The client: one line around a function, and it runs only with a permit.

Reads top down. Guarding: ``guards`` (the decorator), ``client`` over ``asking`` (``default``: the one that nobody
names) → ``enforcement`` (one guarded call) → ``flows`` (what is asked in which order) → ``calls`` and ``answers``
(building requests, judging answers; pure) → ``transport`` and ``tls`` (I/O), ``delivery`` and ``spool`` (outcomes that
wait). Recording: ``chain`` (one call for each link), ``scopes`` and ``observed_calls`` (its context managers) →
``drafts`` (pure) → ``recorder`` → ``redaction``, ``itemspool`` (durable) → ``shipper``, ``shipping`` (batches to the
collector). It imports nothing of the server.
"""

from sealgate.sdk.answers import Approval, Credential, Decision, Obligation, Permit, Receipt, Recorded
from sealgate.sdk.client import AsyncClient, Client
from sealgate.sdk.default import (
    configure,
    context_retrieved,
    declare_coverage,
    default_client,
    fallback,
    input_received,
    log_event,
    model_call,
    record_error,
    session,
    step,
    task,
    tool_call,
)
from sealgate.sdk.drafts import Tool
from sealgate.sdk.enforcement import Grant, current_grant
from sealgate.sdk.errors import (
    ActionNotRun,
    ApprovalRequired,
    ArgumentsRefused,
    AuthorityUnreachable,
    CredentialNotIssued,
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
from sealgate.sdk.observed_calls import Authorized, ModelCall, ToolCall
from sealgate.sdk.propagation import continued, extract, inject, inject_environment
from sealgate.sdk.scopes import Session, Step, Task
from sealgate.sdk.tracing import carry, current_traceparent

Sealgate = Client

__all__ = [
    "ActionNotRun",
    "Approval",
    "ApprovalRequired",
    "ArgumentsRefused",
    "AsyncClient",
    "AuthorityUnreachable",
    "Authorized",
    "Client",
    "Credential",
    "CredentialNotIssued",
    "Decision",
    "Denied",
    "EventHandler",
    "Grant",
    "Guard",
    "ModelCall",
    "NotCoverable",
    "Obligation",
    "ObligationUnmet",
    "OutcomeNotReported",
    "Permit",
    "Receipt",
    "Recorded",
    "RequestRefused",
    "Sealgate",
    "Session",
    "Silence",
    "SpoolFull",
    "SpoolUnusable",
    "Step",
    "Task",
    "Tool",
    "ToolCall",
    "UnreadableAnswer",
    "carry",
    "configure",
    "context_retrieved",
    "continued",
    "current_grant",
    "current_traceparent",
    "declare_coverage",
    "default_client",
    "extract",
    "fallback",
    "guard",
    "inject",
    "inject_environment",
    "input_received",
    "log_event",
    "model_call",
    "record_error",
    "session",
    "step",
    "task",
    "tool_call",
]
