"""Verifies an exported log directory, whole or a range, offline.

The steps, in the order of ``receipt``'s: 1 form, 2 checkpoint, 3 tree head, 4 statements, 5 tree, 6 bodies,
7 completeness, 8 prior checkpoint, 9 timestamps, 10 freshness. Steps 4 to 7 are one pass over the records (``scan``).
Before the pass, a kept checkpoint that is larger, or of the same size with another root, already proves a fork.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..model.errors import AlteredError, ForkError, InputError, NotProvenError, SealgateError
from ..model.limits import TILE_WIDTH
from ..proofs import quorum, tree
from ..proofs.checkpoints import Checkpoint
from ..proofs.quorum import VerifiedCheckpoint
from ..proofs.tiles import hash_range, prove_consistency
from ..proofs.timestamps import verify_timestamp
from ..proofs.trust import Trust
from . import resume, scan
from .completeness import Completeness
from .keyring import KeyRing
from .logfiles import LogFiles
from .receipt import check_freshness, describe_signatures, read_checkpoint, read_pinned, read_trust, verify_checkpoint
from .record import encode_base64
from .report import Report, Steps, StopError, UnreadableError, Verdict, verdict_of
from .scan import FoundError, Scan

STEPS: Final = (
    "form",
    "checkpoint",
    "tree head",
    "statements",
    "tree",
    "bodies",
    "completeness",
    "prior checkpoint",
    "timestamps",
    "freshness",
)
_BUNDLES_BETWEEN_STATES: Final = 64  # 16,384 records: about a second of work is lost at most


@dataclass(frozen=True, slots=True)
class LogOptions:
    """How to verify: range (``stop`` excluded; None: all), a kept checkpoint, signatures or not, state file, clock."""

    start: int = 0
    stop: int | None = None
    prior: bytes | None = None
    signatures: bool = True
    state: Path | None = None
    max_age: int | None = None
    now: int = 0


Show = Callable[[int, int], None]
"""Called with (records done, records in all)."""


def verify_log(folder: Path, trust_file: bytes | None, options: LogOptions, show: Show | None = None) -> Report:
    """Return the report on the log in ``folder``. Bad evidence never raises; it is the report's verdict."""
    steps = Steps(STEPS, trusted=trust_file is not None)
    with contextlib.suppress(StopError):
        _Check(steps, folder, trust_file, options, show or _silent).run()
    return steps.report()


def _silent(_done: int, _total: int) -> None:
    """Show nothing."""


class _Check:
    """One verification of one directory."""

    def __init__(self, steps: Steps, folder: Path, trust_file: bytes | None, options: LogOptions, show: Show) -> None:
        self._steps = steps
        self._folder = folder
        self._trust_file = trust_file
        self._options = options
        self._show = show
        self._witnessed: Checkpoint | None = None

    def run(self) -> None:
        """Go through the steps."""
        steps, options = self._steps, self._options
        with steps.step("form"):
            trusted = None if self._trust_file is None else read_trust(self._trust_file)
            files = LogFiles(self._folder)
            note = files.checkpoint()
            head = read_checkpoint(note)
            stop = head.size if options.stop is None else options.stop
            if not 0 <= options.start <= stop <= head.size:
                raise UnreadableError(f"records {options.start} to {stop} are not in a log of size {head.size}")
        steps.ok("form", f"log directory, {'with' if files.has_bodies else 'without'} bodies")
        times = self._check_checkpoint(note, trusted, files, stop)
        steps.facts |= {"origin": head.origin, "size": head.size, "from": options.start, "to": stop}
        steps.ok("tree head", f"size {head.size}, root {encode_base64(head.root)}")
        pinned = self._check_size(head, trusted)
        stamps = files.timestamps() if trusted else []
        job = self._prepare(files, head, trusted, options.start)
        job.marks = dict.fromkeys([size for size, _ in stamps if 0 < size <= head.size], b"")
        if pinned and pinned.size:
            job.marks[pinned.size] = b""
        if self._witnessed and self._witnessed.size:
            job.marks[self._witnessed.size] = b""
        self._check_records(job, head, note, stop)
        self._check_prior(job, head, pinned)
        self._check_timestamps(job, head, trusted, files, stamps)
        check_freshness(steps, times, options.max_age, options.now)

    def _check_checkpoint(self, note: bytes, trusted: Trust | None, files: LogFiles, stop: int) -> list[int]:
        """Check who signed, and return the cosignatures' times."""
        times: list[int] = []
        with self._steps.step("checkpoint"):
            if trusted is None:
                self._steps.skipped("checkpoint", "no trust file, so no signature was checked")
                return times
            verified = self._quorum_met(note, trusted, files, stop)
            times = [item.time for item in verified.cosignatures if item.time is not None]
            self._steps.ok("checkpoint", f"size {verified.size}, {describe_signatures(verified, trusted)}")
        return times

    def _quorum_met(self, note: bytes, trusted: Trust, files: LogFiles, stop: int) -> VerifiedCheckpoint:
        """Return the checkpoint that the witnesses vouch for: the newest one, or an older one that still covers all.

        Witnesses follow a log with a delay. What lies behind the size that they saw has the log's signature only.
        """
        signed = quorum.verify_checkpoint(note, log=trusted.log, origin=trusted.origin, witnesses=trusted.witnesses)
        if quorum.count_witnesses(signed.cosignatures) >= trusted.quorum:
            return signed
        older = files.witnessed()
        if older is None:
            return verify_checkpoint(note, trusted)
        seen = verify_checkpoint(older, trusted)
        if seen.size < stop:
            hint = f"verify with --to {seen.size}"
            raise NotProvenError(f"witnesses saw only the first {seen.size} records; {hint}, or wait for them")
        self._witnessed = seen.checkpoint
        return seen

    def _check_size(self, head: Checkpoint, trusted: Trust | None) -> Checkpoint | None:
        """Return the kept checkpoint, unless it already contradicts this one."""
        if self._options.prior is None or trusted is None:
            return None
        with self._steps.step("prior checkpoint"):
            pinned = read_pinned(self._options.prior, trusted)
            if pinned.size > head.size:
                raise ForkError(f"the log was at size {pinned.size} and is now at {head.size}: it was rolled back")
            if pinned.size == head.size and pinned.root != head.root:
                raise ForkError(f"two signed roots for one size {head.size}")
        return pinned

    def _prepare(self, files: LogFiles, head: Checkpoint, trusted: Trust | None, start: int) -> Scan:
        keys = None if trusted is None else KeyRing(trusted)
        return Scan(
            files,
            head.size,
            keys,
            self._options.signatures,
            head.origin,
            root_key=None if trusted is None else trusted.root_key,
            completeness=Completeness(start),
        )

    # (4) to (7) ---------------------------------------------------------------------------------------------------

    def _check_records(self, job: Scan, head: Checkpoint, note: bytes, stop: int) -> None:
        steps, options = self._steps, self._options
        try:
            first = self._scan(job, note, options.start // TILE_WIDTH, -(-stop // TILE_WIDTH))
            root = scan.finish(job.hasher, head.size, job.files.tile)
        except FoundError as found:
            self._fail_at(found, options.start)
        except (NotProvenError, InputError) as error:
            steps.fail("tree", Verdict.NOT_PROVEN, f"the tree cannot be computed: {error.message}")
        if first:
            steps.facts["resumed_from"] = first * TILE_WIDTH
        self._report_statements(job)
        if root != head.root:
            steps.fail("tree", Verdict.ALTERED, "the records hash to another root than the checkpoint's")
        with steps.step("tree"):
            if self._witnessed and self._witnessed.size:
                self._require_extension(job, head, self._witnessed)
            steps.ok("tree", "statements, entries, tiles and root agree")
        self._report_bodies(job)
        self._report_completeness(job)

    def _scan(self, job: Scan, note: bytes, first: int, end: int) -> int:
        """Check the bundles from ``first`` to ``end``; return where a saved state let it begin, or 0."""
        options = self._options
        bound = resume.binding(note, self._trust_file or b"", f"{first} {end} {options.signatures}".encode())
        resumed = resume.load(options.state, bound, job) if options.state else None
        if resumed is None:
            job.hasher = scan.start_at(first, job.size, job.files.tile) if first else tree.TreeHasher()
        for number in range(first if resumed is None else resumed, end):
            job.bundle(number)
            self._show(min((number + 1) * TILE_WIDTH, job.size), job.size)
            if options.state and (number + 1) % _BUNDLES_BETWEEN_STATES == 0 and job.hasher.size % TILE_WIDTH == 0:
                resume.save(options.state, bound, number + 1, job)
        return resumed or 0

    def _fail_at(self, found: FoundError, start: int) -> None:
        """Report the first bad record; what came before it was good."""
        steps = self._steps
        steps.first_bad_index = found.index
        scanned = f"good from record {start} up to record {found.index}"
        for name in STEPS[3 : STEPS.index(found.step)]:
            steps.ok(name, scanned)
        verdict = verdict_of(found.error)
        steps.fail(found.step, verdict, f"record {found.index}: {found.error.message}")

    def _report_statements(self, job: Scan) -> None:
        counted = f"{job.totals.records} statements are well-formed"
        if job.keys is None:
            self._steps.skipped("statements", f"{counted}; no trust file, so no signature was checked")
        elif not self._options.signatures:
            self._steps.unproven("statements", f"{counted}; their signatures were not checked, as asked")
        else:
            self._steps.ok("statements", f"{job.totals.signatures} signatures by keys valid at their index")

    def _report_bodies(self, job: Scan) -> None:
        if job.totals.bodies:
            absent = job.totals.records - job.totals.bodies
            self._steps.ok("bodies", f"{job.totals.bodies} bodies are what was sealed, {absent} absent")
        else:
            self._steps.skipped("bodies", "the directory holds none")

    def _report_completeness(self, job: Scan) -> None:
        hole = job.completeness.first_unexcused()
        if hole is not None:
            self._steps.first_bad_index = hole[0]
            unread = "" if job.totals.bodies else "; what excuses it would be a body, and the directory holds none"
            self._steps.fail("completeness", Verdict.GAP, f"record {hole[0]}: {hole[1]}{unread}")
        excused = job.completeness.missing_statements
        self._steps.ok("completeness", f"no unexcused holes, {excused} statements missing with an excuse")

    # (8) to (9) ---------------------------------------------------------------------------------------------------

    def _check_prior(self, job: Scan, head: Checkpoint, pinned: Checkpoint | None) -> None:
        name, steps = "prior checkpoint", self._steps
        if self._options.prior is None:
            steps.skipped(name, "no prior checkpoint was given")
        elif pinned is None:
            steps.unproven(name, "a prior checkpoint can only be compared under a trust file")
        elif not pinned.size:
            steps.ok(name, "every log extends the empty one")
        else:
            with steps.step(name):
                self._require_extension(job, head, pinned)
                steps.ok(name, f"the log of size {pinned.size} is the beginning of this one")

    def _require_extension(self, job: Scan, head: Checkpoint, pinned: Checkpoint) -> None:
        root = self._root_at(job, head, pinned.size)
        if root != pinned.root:
            raise ForkError(f"the first {pinned.size} records are not those of the kept or witnessed checkpoint")

    def _root_at(self, job: Scan, head: Checkpoint, size: int) -> bytes:
        """Return the root at a smaller size: from the pass, or out of the tiles where the pass did not go there."""
        if marked := job.marks.get(size):
            return marked
        root = hash_range(0, size, head.size, job.files.tile)
        proof = prove_consistency(size, head.size, job.files.tile)
        tree.verify_consistency(size, head.size, proof, root, head.root)
        return root

    def _check_timestamps(
        self, job: Scan, head: Checkpoint, trusted: Trust | None, files: LogFiles, stamps: list[tuple[int, Path]]
    ) -> None:
        name, steps = "timestamps", self._steps
        if not trusted or not trusted.timestamp_roots:
            steps.skipped(name, "no timestamp authority is trusted")
        elif not stamps:
            steps.skipped(name, "the directory holds none")
        else:
            with steps.step(name):
                newest = [self._check_timestamp(job, head, trusted, files, stamp) for stamp in stamps][-1]
                steps.ok(name, f"{len(stamps)} timestamps, the newest of {newest}")

    def _check_timestamp(
        self, job: Scan, head: Checkpoint, trusted: Trust, files: LogFiles, stamp: tuple[int, Path]
    ) -> str:
        size, path = stamp
        if not 0 < size <= head.size:
            raise AlteredError(f"timestamp of size {size} in a log of size {head.size}")
        text = Checkpoint(head.origin, size, self._root_at(job, head, size)).text
        try:
            return verify_timestamp(files.read_timestamp(path), text.encode(), trusted.timestamp_roots).isoformat()
        except SealgateError as error:
            raise type(error)(f"timestamp of size {size}: {error.message}") from error
