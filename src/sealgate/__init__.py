"""Sealgate decides whether an AI agent's action may run, before it runs, and seals the evidence.

The names below are the thin client. They are imported when first used, so that the verifier, the authority and the
command line do not pay for what they do not need.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sealgate.sdk import (
        ActionNotRun,
        AsyncClient,
        AuthorityUnreachable,
        Client,
        Decision,
        Denied,
        EventHandler,
        Sealgate,
        Silence,
        carry,
        configure,
        context_retrieved,
        continued,
        current_traceparent,
        declare_coverage,
        fallback,
        guard,
        inject,
        inject_environment,
        input_received,
        log_event,
        model_call,
        record_error,
        session,
        step,
        task,
        tool_call,
    )

__all__ = [
    "ActionNotRun",
    "AsyncClient",
    "AuthorityUnreachable",
    "Client",
    "Decision",
    "Denied",
    "EventHandler",
    "Sealgate",
    "Silence",
    "__version__",
    "carry",
    "configure",
    "context_retrieved",
    "continued",
    "current_traceparent",
    "declare_coverage",
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

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module `sealgate` has no attribute `{name}`")
    from sealgate import sdk  # noqa: PLC0415  # on first use, see the module

    value = getattr(sdk, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
