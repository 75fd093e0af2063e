"""Where a demo puts its files: a folder that is kept, or one that goes when it ends."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sealgate.model.errors import ConfigurationError


@contextmanager
def place(keep: Path | None) -> Iterator[Path]:
    """Yield ``keep``, made if need be, or a new folder that is removed afterwards.

    Raises:
        ConfigurationError: there is something in ``keep`` already.
    """
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise ConfigurationError(f"`{keep}` is not empty", hint="name a new folder")
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="sealgate-demo-") as folder:
        yield Path(folder).resolve()
