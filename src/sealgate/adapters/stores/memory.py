"""In-memory twins of the log's stores: same contracts, nothing durable. For tests and trials."""

from collections.abc import Iterable

from sealgate.model.errors import ForkError
from sealgate.ports.lock_database import Held


class MemoryLog:
    """A ``ports.public_log.PublicLog`` in a dictionary."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._unsettled: set[str] = set()

    def read(self, path: str) -> bytes | None:
        """Return the file's bytes, or None."""
        return self.files.get(path)

    def create(self, path: str, data: bytes) -> None:
        """Write once."""
        found = self.files.get(path)
        if found is not None and found != data:
            raise ForkError(f"public file `{path}` exists with other content")
        if found is None:
            self.restore(path, data)

    def restore(self, path: str, data: bytes) -> None:
        """Write."""
        self.files[path] = data
        self._unsettled.add(path)

    def replace(self, path: str, data: bytes) -> None:
        """Replace."""
        self.files[path] = data

    def remove_partials(self, full_path: str) -> None:
        """Remove partial files."""
        for path in [path for path in self.files if path.startswith(f"{full_path}.p/")]:
            del self.files[path]
            self._unsettled.discard(path)

    def remove(self, path: str) -> None:
        """Forget a file."""
        self.files.pop(path, None)

    def settle(self) -> int:
        """Count."""
        count = len(self._unsettled)
        self._unsettled.clear()
        return count


class MemoryStaging:
    """A ``ports.public_log.Staging`` in a dictionary."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, name: str, data: bytes) -> None:
        """Store."""
        self.files[name] = data

    def names(self) -> list[str]:
        """Return what is there."""
        return sorted(self.files)

    def get(self, name: str) -> bytes:
        """Return one file's bytes."""
        return self.files[name]

    def drop(self, names: Iterable[str]) -> None:
        """Remove."""
        for name in names:
            self.files.pop(name, None)


class LockRow:
    """What several ``MemoryLock`` share: the row of one log in an imagined database."""

    def __init__(self) -> None:
        self.held = Held(b"", 0, closed=False)
        self.fence = 0


class MemoryLock:
    """A ``ports.lock_database.LockDatabase`` over one row."""

    def __init__(self, row: LockRow) -> None:
        self._row = row
        row.fence += 1
        self._fence = row.fence

    def read(self) -> Held:
        """Return what is held."""
        return self._row.held

    def advance(self, old: bytes, new: bytes, size: int) -> None:
        """Compare and swap."""
        held = self._row.held
        if (held.body, held.closed, self._row.fence) != (old, False, self._fence) or size <= held.size:
            raise ForkError("the lock holds another checkpoint than ours")
        self._row.held = Held(new, size, closed=False)

    def freeze(self, body: bytes) -> None:
        """Close the log."""
        held = self._row.held
        if (held.body, self._row.fence) != (body, self._fence):
            raise ForkError("the lock holds another checkpoint than ours")
        self._row.held = Held(held.body, held.size, closed=True)

    def close(self) -> None:
        """Nothing to release."""
