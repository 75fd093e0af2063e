"""Lets a question be told to stop: the statement that it runs in the store is interrupted, and the next one refused.

A question runs in one thread, and what it asks of the store finds its stop there. So none can stop another, and what
has no stop (following the journal, erasing) is never stopped.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeVar

from sealgate.model.errors import UnavailableError

T = TypeVar("T")

_AGAIN_S: Final = 0.05


class Stop:
    """The stop of one question. Any thread may tell it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told = False
        self._interrupt: Callable[[], None] | None = None
        self._over = threading.Event()

    def run(self, question: Callable[[], T]) -> T:
        """Ask the question in this thread.

        Raises:
            UnavailableError: it was told to stop, before or meanwhile.
        """
        token = _HERE.set(self)
        try:
            self._require_wanted()
            return question()
        finally:
            _HERE.reset(token)
            self._over.set()

    def tell(self) -> None:
        """Let the question stop as soon as it can; returns at once."""
        with self._lock:
            told, self._told = self._told, True
        if not told:
            threading.Thread(target=self._insist, name="stopping", daemon=True).start()

    def _insist(self) -> None:
        """Interrupt until it is over: an interrupt that comes just before a statement begins is lost."""
        over = False
        while not over:
            with self._lock:  # so that none comes when the statement has ended
                if self._interrupt is not None:
                    self._interrupt()
            over = self._over.wait(_AGAIN_S)

    def _require_wanted(self) -> None:
        if self._told:
            raise UnavailableError("the question was told to stop", hint="ask again")

    @contextmanager
    def _statement(self, interrupt: Callable[[], None]) -> Iterator[None]:
        with self._lock:
            self._require_wanted()
            self._interrupt = interrupt
        try:
            yield
        finally:
            with self._lock:
                self._interrupt = None


_HERE: ContextVar[Stop | None] = ContextVar("stop", default=None)


@contextmanager
def stoppable(interrupt: Callable[[], None]) -> Iterator[None]:
    """Run one statement; ``interrupt`` ends it when the question of this thread, if it is one, is told to stop.

    Raises:
        UnavailableError: it was told before.
    """
    stop = _HERE.get()
    if stop is None:
        yield
        return
    with stop._statement(interrupt):  # noqa: SLF001 - the other half of it
        yield
