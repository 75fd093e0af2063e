"""What the gate tells an adapter, in words that a model understands.

A refusal is an answer and never an exception: a raise would end the run in one framework, lose the results of sibling
calls in another, and be shown to the model as a crash in a third.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sealgate.sdk import tracing
from sealgate.sdk.enforcement import Grant
from sealgate.sdk.errors import ActionNotRun

Effect = Literal["permit", "deny", "ask"]


class Ticket:
    """The right to run one body once, and the duty to say what became of it.

    Args:
        grant: of the client.
        tool: that may run.
        asked_sha256: digest of the arguments that were judged.
        arguments_sha256: digest of those it may run with: the same, unless the policy narrowed them.
    """

    def __init__(self, grant: Grant, tool: str, asked_sha256: str, arguments_sha256: str) -> None:
        self.grant: Final = grant
        self.tool: Final = tool
        self.asked_sha256: Final = asked_sha256
        self.arguments_sha256: Final = arguments_sha256
        self._lock = threading.Lock()
        self._claimed = False
        self._closed = False

    def claim(self, tool: str, arguments_sha256: str) -> bool:
        """Use up the right, for exactly this call; false if it does not fit or was used."""
        with self._lock:
            if self._claimed or self._closed or (tool, arguments_sha256) != (self.tool, self.arguments_sha256):
                return False
            self._claimed = True
            return True

    def close(self) -> bool:
        """Take over the duty to report; false if somebody has."""
        with self._lock:
            first, self._closed = not self._closed, True
            return first


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer about one call."""

    effect: Effect
    reason: str
    """For the model: what happened and what to do now."""

    arguments: dict[str, Any]
    """What the body may run with: the judged arguments, narrowed where the policy says so."""

    tool: str
    call_id: str | None = None
    code: str = ""
    approval_id: str | None = None
    ticket: Ticket | None = field(default=None, repr=False)

    @property
    def permitted(self) -> bool:
        """Tell whether the body may run."""
        return self.effect == "permit" and self.ticket is not None

    @contextmanager
    def body(self) -> Iterator[None]:
        """Run the body inside of this: what it asks for itself is recorded below this call.

        A backstop deeper in the framework finds the ticket here and does not ask a second time.
        """
        if self.ticket is None:
            raise RuntimeError(f"`{self.tool}` has no permit")
        span = tracing.enter(self.ticket.grant.span)
        token = _running.set(self.ticket)
        try:
            yield
        finally:
            _running.reset(token)
            tracing.leave(span)


_running: Final[ContextVar[Ticket | None]] = ContextVar("sealgate_running", default=None)


def claim_running(tool: str, arguments_sha256: str) -> bool:
    """Tell whether the running code stands inside of a permitted body of exactly this call; true only once."""
    ticket = _running.get()
    return ticket is not None and ticket.claim(tool, arguments_sha256)


def running_ticket() -> Ticket | None:
    """Return the ticket of the body that runs here, if one does."""
    return _running.get()


def refused(tool: str, error: ActionNotRun, arguments: dict[str, Any], call_id: str | None) -> Verdict:
    """Return the verdict for an answer that is not a permit, a failure of the gate included."""
    decision: Any = getattr(error, "decision", None)
    code: str = getattr(error, "code", "")
    if code == "approval_required" and decision is not None and not _is_refused(decision):
        approval_id = _approval_id(decision)
        named = f" (request {approval_id})" if approval_id else ""
        text = (
            f"`{tool}` was not run: a person has to approve this exact call first{named}. "
            "Tell the user. Once it is approved, make the same call again with the same arguments."
        )
        return Verdict("ask", text, arguments, tool, call_id, code, approval_id)
    if decision is not None:
        rules = f" Decided by: {', '.join(decision.policies)}." if decision.policies else ""
        text = (
            f"`{tool}` was not run: it is not permitted ({decision.reason}). {decision.message}{rules} "
            "The same call will be refused again; do something else or tell the user."
        )
        return Verdict("deny", " ".join(text.split()), arguments, tool, call_id, code)
    return failed_gate(tool, error, arguments, call_id)


def failed_gate(tool: str, error: BaseException, arguments: dict[str, Any], call_id: str | None) -> Verdict:
    """Return the refusal that a gate without an answer gives: silence means no."""
    code = getattr(error, "code", "") or "gate_unavailable"
    said = getattr(error, "message", None) or type(error).__name__
    text = (
        f"`{tool}` was not run: no permission could be had for it ({said}). "
        "Nothing happened. Tell the user; trying again helps only once the gate answers."
    )
    return Verdict("deny", text, arguments, tool, call_id, code)


def _is_refused(decision: Any) -> bool:
    """Tell whether people said no: then there is nothing to wait for."""
    approval = getattr(decision, "approval", None)
    return getattr(approval, "state", None) == "refused"


def _approval_id(decision: Any) -> str | None:
    approval = getattr(decision, "approval", None)
    found = approval.get("id") if isinstance(approval, dict) else getattr(approval, "id", None)
    return found if isinstance(found, str) else None
