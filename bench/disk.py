"""What the disk alone costs: appending a record of the same size to a file and making it durable."""

import os
import time
from pathlib import Path


class BareAppend:
    """Appends and syncs, nothing else. On the same file system as what it is compared with."""

    def __init__(self, path: Path, record_bytes: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._record = os.urandom(record_bytes)

    def block(self, count: int) -> list[float]:
        """Return the seconds that each of ``count`` appends took."""
        times = []
        for _ in range(count):
            start = time.perf_counter()
            os.write(self._file, self._record)
            os.fdatasync(self._file)
            times.append(time.perf_counter() - start)
        return times

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
