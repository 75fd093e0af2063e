"""What the client raises, and whether the action ran.

::

    ActionNotRun                          the guarded body did not run; every class of this branch is one
    ├── Denied (NotPermittedError)        a rule forbids it
    ├── Silence (NotPermittedError)       the gate declined to answer: no policy, not recorded, …
    │   └── ApprovalRequired              … because people have to approve it first; it has the approval's id
    ├── RequestRefused (NotPermittedError) the authority refused the request itself (HTTP 4xx)
    ├── ObligationUnmet (NotPermittedError) a permit came with a duty that nobody here can fulfil
    ├── ArgumentsRefused (InputError)     the arguments have no JSON form, so they cannot be judged
    ├── SpoolUnusable (UnavailableError)  the outcome would have no place to wait
    │   └── SpoolFull                     … because too many wait already
    └── AuthorityUnreachable (UnavailableError)
        └── UnreadableAnswer              something answered, but not with a well-formed decision
    OutcomeNotReported (UnavailableError) the body ran; its outcome could be neither delivered nor spooled
    CredentialNotIssued (UnavailableError) the body runs, but gets no credential
    NotCoverable (InputError)             this callable cannot be guarded

So ``except ActionNotRun`` around a call means: nothing happened. An exception of the body itself passes unchanged.
"""

from typing import TYPE_CHECKING, Any

from sealgate.model.errors import InputError, NotPermittedError, SealgateError, UnavailableError

if TYPE_CHECKING:
    from sealgate.sdk.answers import Decision


class ActionNotRun(SealgateError):  # noqa: N818  # reads as the fact it states in an except clause
    """The action did not run. Catch this to tell a refusal from a failure of the action itself."""


class _Refusal(ActionNotRun, NotPermittedError):  # noqa: N818  # a fact, as above
    """A readable decision that is not PERMIT; ``decision`` is the whole answer, ``code`` its reason."""

    def __init__(self, decision: "Decision", tool: str) -> None:
        message = f"{decision.outcome} for `{tool}`: {decision.message or decision.reason}"
        rules = f"decided by {', '.join(decision.policies)}" if decision.policies else ""
        super().__init__(message, code=decision.reason, hint=rules)
        self.decision = decision


class Denied(_Refusal):
    """A rule forbids the action: a policy, a quota, a limit or a pause of the agent."""


class Silence(_Refusal):
    """The gate declined to answer, so the action does not run; ``code`` says why."""


class ApprovalRequired(Silence):
    """People are asked. Wait with ``Client.wait_for_approval`` and call again with the same arguments."""

    def __init__(self, decision: "Decision", tool: str) -> None:
        super().__init__(decision, tool)
        self.approval_id = decision.approval.id if decision.approval is not None else None
        """None where nobody was asked, for there were too many questions: ``message`` says why."""


class RequestRefused(ActionNotRun, NotPermittedError):  # noqa: N818  # a fact, as above
    """The authority refused the request itself (HTTP 4xx). ``code`` is the problem's slug, ``status`` is HTTP's."""

    def __init__(self, message: str, *, code: str, status: int, hint: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(message, code=code, hint=hint)
        self.status = status
        self.retry_after_s = retry_after_s


class ObligationUnmet(ActionNotRun, NotPermittedError):  # noqa: N818  # a fact, as above
    """The permit carries an obligation that this enforcement point does not know, or whose handler failed."""


class ArgumentsRefused(ActionNotRun, InputError):  # noqa: N818  # a fact, as above
    """The arguments have no exact JSON form (or changed while they were judged), so no decision can cover them."""


class SpoolUnusable(ActionNotRun, UnavailableError):  # noqa: N818  # a fact, as above
    """There is no safe place where the outcome could wait if the authority went away, so nothing runs."""


class SpoolFull(SpoolUnusable):
    """Too many outcomes wait for the authority. Nothing new runs until they are delivered."""


class AuthorityUnreachable(ActionNotRun, UnavailableError):  # noqa: N818  # a fact, as above
    """The authority did not answer in time, could not be reached, or answered with a failure of its own (HTTP 5xx)."""

    retry_after_s = 0.0


class UnreadableAnswer(AuthorityUnreachable):
    """Something answered, but not with what the interface promises. It is treated as no answer at all."""


class OutcomeNotReported(UnavailableError):  # noqa: N818  # a fact, as above
    """The body ran, but its outcome could be neither delivered nor spooled. ``result`` is what the body returned."""

    def __init__(self, message: str, *, result: Any = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.result = result


class CredentialNotIssued(UnavailableError):  # noqa: N818  # a fact, as above
    """The running body asked for a credential and gets none."""


class NotCoverable(InputError):  # noqa: N818  # a fact, as above
    """This callable cannot be guarded, because its effects would happen outside the call that was judged."""
