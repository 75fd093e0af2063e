"""The thread that follows the journal: sequences, publishes, then asks witnesses and the timestamp authority.

Nothing waits for it. If it falls behind, receipts stay in state ``signed`` longer; if the log has forked, it stops for
good and tells the gate, which answers SILENCE from then on.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from sealgate.model.errors import ForkError, SealgateError
from sealgate.ports.transparency import TransparencyLog

_LOG = logging.getLogger(__name__)
Follower = Callable[[], None]
"""Something done after each checkpoint: witnesses, timestamps. Its errors are told, and tried again next time."""


class Publisher:
    """Owns the thread. ``halted`` is set once and never cleared; ``failure`` tells about the last step only."""

    def __init__(
        self,
        log: TransparencyLog,
        *,
        interval_s: float,
        followers: Sequence[Follower] = (),
    ) -> None:
        self._log = log
        self._interval_s = interval_s
        self._followers = followers
        self._on_halt: Callable[[str], None] = lambda _: None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self.failure: str | None = None
        self.halted: str | None = None
        self.steps = 0

    def when_halted(self, tell: Callable[[str], None]) -> None:
        """Call ``tell`` with the reason, on the publisher thread, when the log has forked; set before ``start``."""
        self._on_halt = tell

    def start(self) -> None:
        """Begin to follow the journal."""
        self._thread.start()

    def stop(self, timeout_s: float = 30.0) -> None:
        """Take one last step over what is durable by now, then end."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._turn()
            if self.halted is not None:
                return
        self._turn()

    def _turn(self) -> None:
        failure: str | None = None
        try:
            if self._log.step():
                self.steps += 1
            for follow in self._followers:
                failure = self._follow(follow) or failure
        except ForkError as error:
            self._halt(error.message)
            failure = error.message
        except SealgateError as error:
            failure = error.message
            _LOG.warning("the log could not be published: %s", error)
        except Exception:  # noqa: BLE001  # a dead publisher thread would be silent; this one is logged and retried
            failure = "unexpected error; see the log"
            _LOG.exception("the log could not be published")
        self.failure = failure

    def _follow(self, follow: Follower) -> str | None:
        try:
            follow()
        except ForkError:
            raise
        except SealgateError as error:
            _LOG.warning("after the checkpoint: %s", error)
            return error.message
        return None

    def _halt(self, reason: str) -> None:
        self.halted = reason
        _LOG.critical("the log has forked; nothing will be signed any more: %s", reason)
        self._on_halt(reason)
