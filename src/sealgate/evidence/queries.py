"""The questions that the evidence answers. Every answer is a structure with a JSON form; every list has a limit."""

from collections.abc import Callable
from typing import IO, Final, Protocol

from sealgate.evidence import aggregating, explaining, searching, tracing
from sealgate.evidence.answers import Explanation, Filter, Format, Page, Status, Table, Trace
from sealgate.evidence.reading import Proof
from sealgate.ports.evidence import EvidenceStore

Progress = Callable[[int, int], None]
"""(rows written, rows in all as far as known)."""


class Exporter(Protocol):
    """Writes rows into open files."""

    def export(
        self, asked: Filter, *, form: Format, file: IO[bytes], without: frozenset[str], progress: Progress
    ) -> int:
        """Write all rows without these members; return how many there were."""


class Queries:
    """All questions in one place. Any thread may ask; each question sees one consistent state."""

    def __init__(
        self,
        store: EvidenceStore,
        *,
        proof: Proof,
        exporter: Exporter,
        status: Callable[[], Status],
    ) -> None:
        self._store = store
        self._proof = proof
        self._exporter = exporter
        self._status = status

    def trace(self, task_or_trace_or_record_id: str, *, limit: int = tracing.MAX_ROWS) -> Trace:
        """Return the decision chain of a task, session, W3C trace or record as a tree.

        Raises:
            InputError: nothing has this id.
            UnavailableError: it took too long.
        """
        return tracing.trace(self._store, self._proof, task_or_trace_or_record_id, limit)

    def search(self, asked: Filter, *, after: str | None = None, limit: int = searching.DEFAULT_LIMIT) -> Page:
        """Return one page of rows, newest first; ``after`` is ``next`` of the page before.

        Raises:
            InputError: the filter or cursor is malformed, or the cursor is of another filter.
            UnavailableError: it took too long.
        """
        return searching.search(self._store, asked, self._proof, after=after, limit=limit)

    def aggregate(
        self, asked: Filter, *, group_by: tuple[str, ...] = (), measure: str = "count", limit: int = 100
    ) -> Table:
        """Return groups of rows and a measure of each.

        Raises:
            InputError: a group or the measure is not known.
            UnavailableError: it took too long.
        """
        return aggregating.aggregate(self._store, asked, group_by=group_by, measure=measure, limit=limit)

    def explain(self, record_id: str) -> Explanation:
        """Return in plain words what a record says, why, what followed and what proves it.

        Raises:
            InputError: no readable record has this id.
        """
        return explaining.explain(self._store, self._proof, record_id)

    def export(
        self,
        asked: Filter,
        *,
        format: Format,  # noqa: A002  # the word of the API
        file: IO[bytes],
        without: frozenset[str] = frozenset(),
        progress: Progress = lambda _done, _all: None,
    ) -> int:
        """Write all rows of a filter into an open file, without these members; return how many there were.

        Raises:
            InputError: a bundle has no rows, or shall be without something.
            UnavailableError: it cannot be written.
        """
        return self._exporter.export(asked, form=format, file=file, without=without, progress=progress)

    def status(self) -> Status:
        """Tell how far the store follows the log."""
        return self._status()


LIMITS: Final = {"page": searching.MAX_LIMIT, "groups": aggregating.MAX_GROUPS, "trace": tracing.MAX_ROWS}
"""The most rows of one answer, by question."""
