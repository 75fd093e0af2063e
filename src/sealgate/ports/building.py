"""Building: the part of publishing that neither signs nor commits, so that it can be done in another process."""

from typing import Protocol

import msgspec

from sealgate.model.errors import UnavailableError


class Staged(msgspec.Struct, array_like=True, frozen=True):
    """A batch whose files are staged durably: the tree that they lead to."""

    size: int
    root: bytes


class BuilderLostError(UnavailableError):
    """The builder is gone, and what it was doing last was done, half done or not begun. As after a crash, the disk
    knows: load the log anew, without it.
    """  # noqa: D205


class Builder(Protocol):
    """Takes a log's files from one checkpoint to the next. Called by one thread; each method blocks.

    A batch is staged, then written once its checkpoint is committed, then tidied up behind once that is published. All
    raise UnavailableError where storage fails, AlteredError where journal or files are not what they were; after any
    error the builder is not used again.
    """

    def stage(self, stop: int) -> Staged:
        """Hash the durable records up to ``stop`` that are not in the tree yet, and stage the files they make."""

    def write(self) -> None:
        """Write the staged files where everybody reads them.

        Raises:
            ForkError: one is there with other bytes.
        """

    def tidy(self) -> None:
        """Remove the partial files that the batch completed."""

    def settle(self, size: int) -> None:
        """Make all that was written durable, then drop what is staged up to the committed ``size``."""


class Building(Protocol):
    """Whoever builds elsewhere. It only ever adds speed: without it the ledger builds by itself."""

    def busy(self, leaves: int) -> bool:
        """Tell whether so many leaves in one batch make it worth having the next ones built elsewhere."""

    def begin(self, size: int, root: bytes) -> Builder | None:
        """Have the files built elsewhere from this published tree on; None where nobody can.

        The builder that was given before is not used any more.
        """

    def close(self) -> None:
        """Let the other process end. Idempotent."""
