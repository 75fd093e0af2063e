"""What reading evidence needs from outside: the query layer, and the authority that records each read."""

from collections.abc import Callable, Mapping
from typing import IO, Any, Protocol

from sealgate.model.grants import Grant


class AccessLog(Protocol):
    """The authority as readers need it. Owned by one event loop."""

    async def record(self, access: Mapping[str, Any], request_id: str) -> str:
        """Return the id of the access record once it is on stable storage.

        Raises:
            UnavailableError: it is not known to be recorded; nothing may be answered.
        """

    async def grants(self) -> list[Grant]:
        """Return the roles that are granted now, those of the configuration aside.

        Raises:
            UnavailableError: the authority does not answer; nobody may read by a grant that could be revoked.
        """

    async def ready(self) -> str:
        """Return "ok" when the authority answers, or why that cannot be said."""

    async def close(self) -> None:
        """Let go of connections."""


Progress = Callable[[int, int], None]
"""Rows done, rows in all."""


class QueryLayer(Protocol):
    """The questions that the evidence store answers; structures are those of ``evidence.answers``.

    Every method blocks and runs in a thread. ``ids`` and filters were checked; limits are ours.
    """

    def trace(self, ident: str, /) -> Any:
        """Return the decision chain of a task, trace, session or record."""

    def search(self, what: Any, /, *, after: str | None, limit: int) -> Any:
        """Return one page, newest first."""

    def aggregate(self, what: Any, /, *, group_by: tuple[str, ...], measure: str, limit: int) -> Any:
        """Return a table."""

    def explain(self, record_id: str, /) -> Any:
        """Return one record in plain words."""

    def export(
        self,
        what: Any,
        /,
        *,
        format: Any,  # noqa: A002
        file: IO[bytes],
        without: frozenset[str],
        progress: Progress,
    ) -> int:
        """Write all that fits into an open file, without these members; return how many rows that were."""

    def status(self) -> Any:
        """Return how far the store follows the log."""
