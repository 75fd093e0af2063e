"""Where the log's public files lie: a directory, an object store. And the staging area that makes writing them safe."""

from collections.abc import Callable, Iterable
from typing import Protocol


class PublicLog(Protocol):
    """Files by path (``proofs.tiles`` makes the paths). One writer; any number of readers, also other processes.

    Tiles and bundles are written once and never change. A reader sees a file whole or not at all. What ``create``
    wrote is durable only after ``settle``; until then a crash may take it or leave a part, and ``restore`` mends it.

    All raise UnavailableError where storage fails. Then the outcome is unknown.
    """

    def read(self, path: str) -> bytes | None:
        """Return the file's bytes, or None where there is none."""

    def create(self, path: str, data: bytes) -> None:
        """Write a file that never changes. Nothing happens when it is there with the same bytes.

        Raises:
            ForkError: it is there with other bytes.
        """

    def restore(self, path: str, data: bytes) -> None:
        """As ``create``, but overwrite what differs. Only for files of a committed batch that was never settled."""

    def replace(self, path: str, data: bytes) -> None:
        """Replace one of the few files that change (``checkpoint``) atomically and durably."""

    def remove_partials(self, full_path: str) -> None:
        """Remove the partial files of a tile or bundle that is there in full."""

    def remove(self, path: str) -> None:
        """Remove a file whose content has expired, durably; nothing happens where there is none."""

    def settle(self) -> int:
        """Make all created files durable; return how many files there were."""


class Staging(Protocol):
    """A few private files, each one batch on its way to the public log. Raises as PublicLog does."""

    def put(self, name: str, data: bytes) -> None:
        """Store durably. An existing file of this name is replaced: it was never committed."""

    def names(self) -> list[str]:
        """Return what is there."""

    def get(self, name: str) -> bytes:
        """Return one file's bytes."""

    def drop(self, names: Iterable[str]) -> None:
        """Remove. A crash may bring them back, which does no harm: applying twice equals applying once."""


ReadBodies = Callable[[int, int], list[bytes | None]]
"""(start, stop) → the canonical bodies of these records, None for each that is erased, expired or withheld."""
