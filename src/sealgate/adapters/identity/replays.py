"""Which tokens were used where, so that a copied one is noticed (ADR 0156).

Kept in memory until each token expires. When there is no room left, unknown tokens are refused: forgetting one that is
still valid would let its copy in.
"""

import weakref
from heapq import heappop, heappush
from typing import Final, Literal

from sealgate.ports.identity import Peer

MAX_TOKENS: Final = 100_000

Use = Literal["once", "connection", "allow"]


class Replays:
    """The tokens that were used. Owned by the event loop."""

    def __init__(self, *, started_s: float, limit: int = MAX_TOKENS) -> None:
        self._started_s = started_s
        self._limit = limit
        self._seen: dict[bytes, weakref.ref[Peer]] = {}
        self._due: list[tuple[float, bytes]] = []

    def admit(
        self, seen_as: bytes, peer: Peer, *, use: Use, expires_s: float, issued_s: int | None, now_s: float
    ) -> bool:
        """Note that a token is used on this connection; tell whether it may be.

        ``once``: a single request, and only if it was issued since we began to take notes. ``connection``: all
        requests of the connection that used it first.
        """
        if use == "allow":
            return True
        while self._due and self._due[0][0] <= now_s:
            self._seen.pop(heappop(self._due)[1], None)
        known = self._seen.get(seen_as)
        if known is not None:
            return use == "connection" and known() is peer
        if len(self._seen) >= self._limit:
            return False
        if use == "once" and (issued_s is None or issued_s < int(self._started_s)):
            return False
        self._seen[seen_as] = weakref.ref(peer)
        heappush(self._due, (expires_s, seen_as))
        return True
