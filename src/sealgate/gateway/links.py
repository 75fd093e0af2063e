"""What stands on either side of a relay. Each side carries messages and says when the other end is gone."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from sealgate.gateway.envelope import Answer, Envelope, Id, Members, notification
from sealgate.model.errors import UnavailableError


class UpstreamGone(UnavailableError):  # noqa: N818  # reads as the fact it states in an except clause
    """The server ended, broke the protocol, or cannot be reached. What was asked of it may have run."""


class ClientGone(UnavailableError):  # noqa: N818  # a fact, as above
    """The client cannot be asked anything any more."""


class Downstream(Protocol):
    """The client, as far as one exchange with it reaches."""

    def ask(self, request: Envelope) -> Awaitable[Answer]:
        """Send a request to the client and await its answer; raises ClientGone."""

    def tell(self, message: Envelope) -> Awaitable[None]:
        """Send a notification to the client; a client that is gone is no error."""


class Upstream(Protocol):
    """One server, as one client reaches it."""

    @property
    def name(self) -> str:
        """The server's name in policies, pins and prefixed tool names."""

    def ask(self, request: Envelope, downstream: Downstream) -> Awaitable[Answer]:
        """Send a request and await its answer. What the server says meanwhile about it goes to ``downstream``.

        Raises:
            UpstreamGone: there will be no answer.
        """

    def tell(self, message: Envelope) -> Awaitable[None]:
        """Send a notification; a server that is gone is no error."""


Asked = Callable[[Upstream, Envelope, Downstream], Awaitable[Answer]]
"""Answers a request of a server."""

Told = Callable[[Upstream, Envelope, Downstream], Awaitable[None]]
"""Takes a notification of a server."""


def cancelled(request_id: Id | None) -> Envelope:
    """Return the notification that an answer is no longer wanted."""
    params: Members = {"requestId": request_id, "reason": "the caller no longer waits"}
    return notification("notifications/cancelled", params)
