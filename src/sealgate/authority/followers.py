"""What happens after a checkpoint: witnesses are asked, and now and then a timestamp authority.

Both run behind the publisher, one round at a time, so that a slow witness never delays a checkpoint. A call starts the
next round and raises what the last one ended with; a fork therefore halts the publisher one interval later.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Protocol

from sealgate.model.errors import EvidenceError, ForkError, SealgateError, UnavailableError
from sealgate.ports.timestamps import TimestampAuthority
from sealgate.ports.witnesses import WitnessPort
from sealgate.proofs import checkpoints, tree
from sealgate.proofs.notes import SignatureLine, VerifierKey

_RETRY_S: Final = 60.0
"""How soon a timestamp authority that gave nothing is asked again."""


class FollowedLog(Protocol):
    """What followers need of the ledger."""

    @property
    def key(self) -> VerifierKey:
        """The log's key."""

    def checkpoint(self) -> bytes | None:
        """Return the published checkpoint."""

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the consistency proof between two sizes."""

    def attach_cosignatures(self, size: int, lines: Sequence[SignatureLine]) -> bool:
        """Add cosignatures to the checkpoint of ``size``."""

    def attach_timestamp(self, size: int, response: bytes) -> None:
        """Keep a timestamp over the checkpoint of ``size``."""


class _Rounds:
    """Runs one round at a time behind its caller."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._running: Future[None] | None = None

    def turn(self, work: Callable[[], None]) -> None:
        """Start ``work`` unless the last round still runs; raise what the last round ended with."""
        last = self._running
        if last is not None and not last.done():
            return
        self._running = None
        if last is not None:
            last.result()
        self._running = self._pool.submit(work)

    def close(self) -> None:
        """Wait for the running round; its outcome is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class WitnessFollower:
    """Asks all witnesses for the newest checkpoint at once. Called by the publisher's thread."""

    def __init__(self, log: FollowedLog, witnesses: Sequence[WitnessPort]) -> None:
        self._log = log
        self._witnesses = tuple(witnesses)
        self._rounds = _Rounds("witnesses")
        self._pool = ThreadPoolExecutor(max(1, len(self._witnesses)), thread_name_prefix="witness")
        self._done: set[tuple[str, int]] = set()

    def __call__(self) -> None:
        """Start a round unless one runs.

        Raises:
            ForkError: in the last round a witness objected.
            UnavailableError: in the last round some witness gave no cosignature; it is asked again.
        """
        if self._witnesses:
            self._rounds.turn(self._round)

    def _round(self) -> None:
        note = self._log.checkpoint()
        if note is None:
            return
        size = checkpoints.parse(note)[0].size
        self._done = {item for item in self._done if item[1] == size}
        asked = [item for item in self._witnesses if (item.key.name, size) not in self._done]
        futures = [self._pool.submit(item.cosign, note, self._log.consistency) for item in asked]
        lines: list[SignatureLine] = []
        failures: list[SealgateError] = []
        for witness, future in zip(asked, futures, strict=True):
            try:
                lines.append(future.result())
                self._done.add((witness.key.name, size))
            except SealgateError as error:
                failures.append(error)
        if lines:
            self._log.attach_cosignatures(size, lines)
        for failure in failures:
            if isinstance(failure, ForkError):
                raise failure
        if failures:
            raise UnavailableError("; ".join(failure.message for failure in failures))

    def compare(self) -> None:
        """Compare with what each witness saw last. Call before the first signature after a start or a restore.

        Raises:
            ForkError: a witness has seen a larger tree or another history: this log was rolled back or changed.
            UnavailableError: no witness at all answered; nothing can be said.
        """
        note = self._log.checkpoint()
        ours = None if note is None else checkpoints.parse(note)[0]
        unreached: list[str] = []
        for witness in self._witnesses:
            try:
                seen = witness.latest(self._log.key)
            except UnavailableError as error:
                unreached.append(error.message)
                continue
            if seen is not None and seen.size:
                self._require_extends(witness.key.name, seen.checkpoint, ours)
        if self._witnesses and len(unreached) == len(self._witnesses):
            raise UnavailableError("; ".join(unreached))

    def _require_extends(self, name: str, seen: checkpoints.Checkpoint, ours: checkpoints.Checkpoint | None) -> None:
        if ours is None or seen.size > ours.size:
            raise ForkError(
                f"witness `{name}` has seen size {seen.size}, the log is at {0 if ours is None else ours.size}",
                hint="the log was rolled back; open a new origin",
            )
        try:
            proof = self._log.consistency(seen.size, ours.size)
            tree.verify_consistency(seen.size, ours.size, proof, seen.root, ours.root)
        except EvidenceError as error:
            raise ForkError(f"witness `{name}` has seen another history of this log") from error

    def close(self) -> None:
        """End the threads."""
        self._rounds.close()
        self._pool.shutdown(wait=True, cancel_futures=True)


class TimestampFollower:
    """Has the newest checkpoint stamped every ``interval_s``. Called by the publisher's thread."""

    def __init__(
        self, log: FollowedLog, authority: TimestampAuthority, *, interval_s: float, monotonic_s: Callable[[], float]
    ) -> None:
        self._log = log
        self._authority = authority
        self._interval_s = interval_s
        self._monotonic_s = monotonic_s
        self._rounds = _Rounds("timestamps")
        self._due: float | None = None
        self._stamped = -1

    def __call__(self) -> None:
        """Start a round when it is time and the log has grown.

        Raises:
            UnavailableError: the last round gave no timestamp; it is tried again after at most a minute.
        """
        now = self._monotonic_s()
        if self._due is None or now >= self._due:
            self._due = now + min(self._interval_s, _RETRY_S)
            try:
                self._rounds.turn(self._round)
            except SealgateError:
                self._due = None  # the last round's outcome is told; the next call starts the next round
                raise

    def _round(self) -> None:
        note = self._log.checkpoint()
        if note is None:
            return
        point = checkpoints.parse(note)[0]
        if point.size == self._stamped:
            return
        self._log.attach_timestamp(point.size, self._authority.timestamp(point.text.encode()))
        self._stamped = point.size
        self._due = self._monotonic_s() + self._interval_s

    def close(self) -> None:
        """End the thread."""
        self._rounds.close()
