"""Where short-lived credentials come from: a database, a cloud, an authorization server, our own token key.

The broker (``authority.credentials``) decides whether and for how long; a backend makes and ends. Every method blocks,
is called from worker threads (several at once) and returns or raises within ``BOUND_S``: an adapter sets time-outs on
every socket it opens. The id of a credential is chosen by the broker and durable before ``issue`` is called. A backend
derives from it whatever names the credential over there, so that it can be ended by id alone: after a crash in the
middle of ``issue``, nobody knows more than the id.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from sealgate.model.credentials import Result

BOUND_S: Final = 10.0
"""No call takes longer, in seconds."""


@dataclass(frozen=True, slots=True)
class Order:
    """A credential to make. ``expires_ms`` (Unix milliseconds) bounds its life; a backend may end it sooner."""

    credential_id: str
    agent: str
    tool: str
    decision_id: str
    task_id: str | None
    issued_ms: int
    expires_ms: int
    audience: str | None = None
    scope: tuple[str, ...] = ()
    confirmation: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """What the caller needs to use the credential. It never shows itself."""

    members: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """The credential a backend is to end."""

    credential_id: str
    issued: bool
    expires_ms: int


class CredentialBackend(Protocol):
    """One configured source of credentials."""

    @property
    def kind(self) -> str:
        """What it is: `postgres`, `sts`, `token_exchange`, `jwt`."""

    @property
    def audiences(self) -> tuple[str, ...]:
        """The audiences a caller may choose from; the first is the default. Empty: it has none."""

    @property
    def scopes(self) -> tuple[str, ...]:
        """What it can be narrowed to; without a wish, all of it. Empty: it cannot be narrowed."""

    def issue(self, order: Order) -> Secret:
        """Make the credential; when this returns it works, and it stops working at ``order.expires_ms`` by itself.

        If it raises, the credential may exist all the same: the broker ends it by its id.

        Raises:
            UnavailableError: the backend cannot be reached or refuses.
        """

    def revoke(self, ended: Ended) -> Result:
        """End a credential: when ``revoked`` is returned it works no more, open sessions included.

        Idempotent: ending what is over, or never was, is ``revoked`` too. ``left_to_expire``: this backend has no way,
        or has lost it; what was handed out works until its expiry, and the record says so.

        Raises:
            UnavailableError: the backend cannot be reached; call again later.
        """

    def live(self) -> list[str] | None:
        """Return the ids of all credentials of this source that exist over there; None where that cannot be asked.

        Raises:
            UnavailableError: the backend cannot be reached.
        """

    def close(self) -> None:
        """Let go of connections."""
