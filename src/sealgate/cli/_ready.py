"""How a process learns that another one, which it started, serves: a pipe that only these two have."""

import asyncio
import os
from collections.abc import Callable
from types import TracebackType
from typing import Self

from sealgate.server.serving import READY_DESCRIPTOR


class ReadySignal:
    """The pipe of one start. Give ``descriptor`` and ``variables`` to the new process, then ``listen``."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        reading, self.descriptor = os.pipe()
        self._reading, self._writing = os.fdopen(reading, "rb", 0), os.fdopen(self.descriptor, "wb", 0)
        self.variables = {READY_DESCRIPTOR: str(self.descriptor)}

    def __enter__(self) -> Self:
        return self

    def listen(self, when_ready: Callable[[], None]) -> None:
        """Call ``when_ready`` once the process says that it serves. One that ends before never does."""
        self._writing.close()

        def hear() -> None:
            self._loop.remove_reader(self._reading)
            if self._reading.read(16):
                when_ready()

        self._loop.add_reader(self._reading, hear)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writing.close()
        self._loop.remove_reader(self._reading)
        self._reading.close()
