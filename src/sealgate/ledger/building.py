"""The builder: from durable records to public files. It holds no key and decides nothing: the ledger signs and commits.

It runs on the ledger's own thread, or in a process beside it (``ports.building``). Either way a crash in here is one of
those that ``recovery`` mends.
"""

from collections.abc import Callable

from sealgate.ledger import staging as staged
from sealgate.ledger.sequencer import Sequencer, full_paths
from sealgate.ports.building import Staged
from sealgate.ports.public_log import PublicLog, Staging

Statements = Callable[[int, int], list[bytes]]
"""(start, stop) → the statements of these durable records (``Journal.statements``)."""


class FileBuilder:
    """A ``ports.building.Builder`` over the stores of one log."""

    def __init__(self, statements: Statements, public: PublicLog, staging: Staging, sequencer: Sequencer) -> None:
        self._statements = statements
        self._public = public
        self._staging = staging
        self._sequencer = sequencer
        self._files: dict[str, bytes] = {}

    def stage(self, stop: int) -> Staged:
        """Hash the records up to ``stop``; write and sync the staging file."""
        batch = self._sequencer.extend(self._statements(self._sequencer.size, stop))
        self._files = batch.files
        self._staging.put(staged.name(batch.size, batch.root), staged.encode(batch.files))
        return Staged(batch.size, batch.root)

    def write(self) -> None:
        """Write the staged files where everybody reads them."""
        apply(self._public, self._files, again=False)

    def tidy(self) -> None:
        """Remove the partial files that the batch completed."""
        remove_replaced(self._public, self._files)
        self._files = {}

    def settle(self, size: int) -> None:
        """Make the public files durable, then drop the staged batches up to ``size``."""
        settle(self._public, self._staging, size)


def apply(public: PublicLog, files: dict[str, bytes], *, again: bool) -> None:
    """Write the files of a committed batch.

    ``again`` tells that an earlier attempt may have left parts of it. If we die anywhere in here, the next start
    applies the whole batch again.
    """
    write = public.restore if again else public.create
    for path, data in files.items():
        write(path, data)


def remove_replaced(public: PublicLog, files: dict[str, bytes]) -> None:
    """Remove the partial files that the batch completed. Only after its checkpoint is published: until then readers
    of the one before may ask for them.
    """  # noqa: D205
    for path in full_paths(files):
        public.remove_partials(path)


def settle(public: PublicLog, staging: Staging, size: int) -> None:
    """Make the public files durable, then drop the staged batches up to the committed ``size``."""
    public.settle()
    parsed = {name: staged.parse_name(name) for name in staging.names()}
    staging.drop([name for name, batch in parsed.items() if batch is None or batch[0] <= size])
