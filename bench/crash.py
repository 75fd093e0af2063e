"""Bar 6: no acknowledged record is lost and no inconsistent checkpoint is ever signed, whatever dies or fails.

Part one kills a process under load with SIGKILL at random moments, again and again on the same log; in every third life
another process builds the log's files, and ends with it. Part two makes each writing system call fail in turn, by
``strace`` fault injection: once with EIO, from then on with ENOSPC, or with SIGKILL in its place. After each: recovery
in a fresh process state, every acknowledged record read back from the journal and found under the new checkpoint, full
fsck from public files, and every checkpoint text that was ever given to the signer compared with the one tree.

SIGKILL tests our order of operations, not the disk's promises: the page cache survives it. What a power cut adds is
covered by torn-tail tests and by syncing before anything is acknowledged, which ``syncs_per_...`` counts.
"""

import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

from bench import crash_child
from bench.harness import Options, Result
from bench.ledger_world import LOG_KEY, Producer, World, make, open_world
from bench.owning import wait_until_nobody_owns
from sealgate.ledger.fsck import fsck
from sealgate.model.errors import JournalError, SealgateError
from sealgate.proofs import tree
from sealgate.proofs.tree import TreeHasher

KILLS: Final = 200
KILLS_PER_LOG: Final = 10
KILL_SECONDS: Final = 48.0
"""Without ``--full`` the first part ends here, and says so, where other work on the machine makes it slow."""
CALLS: Final = (
    "openat",
    "pwrite64",
    "fdatasync",
    "io_submit",
    "fsync",
    "rename",
    "mkdir",
    "unlink",
    "ftruncate",
)
"""Every system call by which our code and SQLite change storage; ``link`` and ``write`` are not used for it."""

FAULTS: Final = {
    "eio": "error=EIO:when={n}",
    "enospc": "error=ENOSPC:when={n}+",
    "kill": "signal=KILL:when={n}",
}
_PR_SET_PTRACER: Final = 0x59616D61


@dataclass(slots=True)
class Tally:
    """What happened to one log, over all its lives."""

    acknowledged: dict[int, bytes] = field(default_factory=dict)
    signed: dict[int, set[bytes]] = field(default_factory=dict)
    lost: int = 0
    inconsistent: int = 0
    refused: list[str] = field(default_factory=list)

    def take(self, report: bytes) -> None:
        """Read one life's report; the last line may be cut."""
        for line in report.split(b"\n")[:-1]:
            kind, number, value = line.split(b" ")
            if kind == b"a":
                self.acknowledge(int(number), bytes.fromhex(value.decode()))
            else:
                self.signed.setdefault(int(number), set()).add(bytes.fromhex(value.decode()))

    def acknowledge(self, index: int, entry: bytes) -> None:
        """Take one acknowledgement."""
        if self.acknowledged.setdefault(index, entry) != entry:
            self.lost += 1  # an index given twice: one of the two records is gone


def run(options: Options) -> Result:
    """Run both parts; ``--seconds`` bounds the second, ``--full`` fails every single call."""
    kills = KILLS if options.seconds >= 10 else max(10, int(KILLS * options.seconds / 20))
    killed = kill_at_random(kills, seed=6, seconds=float("inf") if options.full else KILL_SECONDS)
    left = max(5.0, min(options.seconds, 45.0 - killed.seconds))
    injected = fail_every_call(left, full=options.full)
    lost, inconsistent = killed.lost + injected.lost, killed.inconsistent + injected.inconsistent
    refused = killed.refused + injected.refused
    missed = [
        *(
            [f"only {killed.points} of {kills} kills in the time; --full takes what it needs"]
            if killed.points < kills
            else []
        ),
        *([f"{lost} acknowledged records lost"] if lost else []),
        *([f"{inconsistent} inconsistent checkpoints signed"] if inconsistent else []),
        *([f"{len(refused)} recoveries refused: {refused[0]}"] if refused else []),
        *(["no fault was injected: strace is missing or may not trace"] if not injected.points else []),
    ]
    figures = {
        "kills": killed.points,
        "acknowledged": killed.acknowledged,
        "signed_checkpoints": killed.signed,
        "kill_part_s": round(killed.seconds, 1),
        "faults_injected": injected.points,
        "faults_by_call": injected.by_call,
        "fault_part_s": round(injected.seconds, 1),
        "fault_acknowledged": injected.acknowledged,
        "lost": lost,
        "inconsistent": inconsistent,
        "recoveries_refused": len(refused),
    }
    return Result("crash", figures, killed.points + injected.points, "file journal and directory log", missed)


@dataclass(slots=True)
class Part:
    """The sum over one part."""

    points: int = 0
    acknowledged: int = 0
    signed: int = 0
    lost: int = 0
    inconsistent: int = 0
    seconds: float = 0.0
    refused: list[str] = field(default_factory=list)
    by_call: dict[str, int] = field(default_factory=dict)

    def add(self, tally: Tally) -> None:
        """Add one log's tally."""
        self.acknowledged += len(tally.acknowledged)
        self.signed += sum(len(roots) for roots in tally.signed.values())
        self.lost += tally.lost
        self.inconsistent += tally.inconsistent
        self.refused += tally.refused


def kill_at_random(kills: int, *, seed: int, seconds: float = float("inf")) -> Part:
    """Kill ``kills`` lives at random moments; a new log every ten."""
    chance, part, start = random.Random(seed), Part(), time.perf_counter()
    while part.points < kills and time.perf_counter() - start < seconds:
        tally, directory = Tally(), _new_log()
        for boot in range(min(KILLS_PER_LOG, kills - part.points)):
            life = _fork(partial(crash_child.run_until_killed, directory, boot=boot))
            first = _working(life.report, boot)  # now any moment is as good as any other
            time.sleep(chance.uniform(0.0, 0.06))
            os.kill(life.pid, signal.SIGKILL)
            tally.take(first + life.rest())
            part.points += 1
            if not _recovered(directory, tally, boot):
                break
        part.add(tally)
        shutil.rmtree(directory)
    part.seconds = time.perf_counter() - start
    return part


def _working(report: int, boot: int) -> bytes:
    """Return what a life reports until it works; in every fourth life, until it has published.

    Where the disk is slow none would come so far by chance.
    """
    said = part = os.read(report, 65536)
    while part and boot % 4 == 1 and (said.count(b"a ") < 30 or b"c " not in said):
        said += (part := os.read(report, 65536))
    return said


def fail_every_call(seconds: float, *, full: bool, rounds: int | None = None) -> Part:
    """Fail each storage system call in turn; without ``full`` a spread of them that fits into ``seconds``.

    ``rounds`` bounds the spread instead.
    """
    part, start = Part(), time.perf_counter()
    if shutil.which("strace") is None:
        return part
    # Rounds take each (call, fault) once, at points that halve the gaps between former ones.
    alive = {(call, fault): 0 for call in CALLS for fault in FAULTS}
    order = list(range(1, 400)) if full else [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 4, 6, 10, 17, 27, 44, 70, 110]
    for nth in order[:rounds]:
        for call, fault in list(alive):
            if not full and time.perf_counter() - start > seconds:
                part.seconds = time.perf_counter() - start
                return part
            if _inject(part, call, fault, nth):
                part.by_call[call] = part.by_call.get(call, 0) + 1
            elif (full or nth > 3) and not _elsewhere(nth):
                del alive[call, fault]  # the script makes fewer calls than that; two processes share them
    part.seconds = time.perf_counter() - start
    return part


def _elsewhere(nth: int) -> bool:
    """Tell whether a building process is at work at this point: the fault is its own, or the authority's."""
    return nth % 3 == 0


def _inject(part: Part, call: str, fault: str, nth: int) -> bool:
    """Run the script with one fault; tell whether it was hit."""
    tally, directory = Tally(), _new_log()
    trace = directory / "trace"
    expression = f"inject={call}:{FAULTS[fault].format(n=nth)}"
    if call == "ftruncate":
        _tear(directory, tally)  # only a torn end is ever truncated

    def stopped(report: int) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        # On an event loop the kernel syncs, asked by `io_submit`; every other point of the other calls goes there too.
        on_loop = call == "io_submit" or nth % 2 == 0
        crash_child.run_script(directory, report, 1, on_loop=on_loop, elsewhere=_elsewhere(nth))

    life = _fork(stopped)
    os.waitpid(life.pid, os.WUNTRACED)
    strace = subprocess.Popen(
        ["strace", "-f", "-q", "-e", f"trace={call}", "-e", expression, "-o", str(trace), "-p", str(life.pid)],
        stderr=subprocess.PIPE,
    )
    assert strace.stderr is not None  # noqa: S101
    for _ in range(30_000):  # on a busy machine it takes as long as it takes
        if _traced(life.pid) or strace.poll() is not None:
            break
        time.sleep(0.001)
    os.kill(life.pid, signal.SIGCONT)
    tally.take(life.rest())
    strace.wait(60)
    strace.stderr.close()
    written = trace.read_text(errors="replace") if trace.exists() else ""
    hit = "INJECTED" in written or "killed by SIGKILL" in written
    if hit:
        part.points += 1
        _recovered(directory, tally, 2, context=f"{call} {fault} {nth}")
        part.add(tally)
    shutil.rmtree(directory)
    return hit


def _traced(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    return "TracerPid:\t0\n" not in status


def _tear(directory: Path, tally: Tally) -> None:
    world = open_world(directory)
    _append(world, tally, boot=9, count=3)
    world.close()
    with max((directory / "journal").glob("*.segment")).open("ab") as file:
        file.write(b"torn")


def _recovered(directory: Path, tally: Tally, boot: int, *, context: str = "") -> bool:
    """Recover, check everything, append a little more; tell whether the log can go on."""
    try:
        wait_until_nobody_owns(directory / "journal")  # a building process notices that its authority ended
        world = open_world(directory, segment_bytes=crash_child.SEGMENT_BYTES)
        try:
            world.ledger.step()
            _append(world, tally, boot=1000 + boot, count=2)
            world.ledger.step()
            _check(world, tally)
        finally:
            world.close()
    except SealgateError as error:
        tally.refused.append(f"{context} {error}".strip())
        return False
    return True


def _append(world: World, tally: Tally, *, boot: int, count: int) -> None:
    producer = Producer(boot)
    for number in range(count):
        record = producer.record(number)
        entry = sha256(record.statement).digest()
        world.journal.append(record, partial(_note, tally, entry))
    world.journal._on_writer(lambda: None)  # noqa: SLF001  # wait for the writer


def _note(tally: Tally, entry: bytes, result: int | JournalError) -> None:
    if isinstance(result, int):
        tally.acknowledge(result, entry)
    else:
        tally.refused.append(f"the recovered journal refuses: {result}")


def _check(world: World, tally: Tally) -> None:
    """Compare what is on disk with what was promised."""
    size = world.journal.size
    published = fsck(world.public, key=LOG_KEY)
    entries = [sha256(item).digest() for item in world.journal.statements(0, size)]
    for index, entry in tally.acknowledged.items():
        if index >= min(size, published.size) or entries[index] != entry:
            tally.lost += 1
    hasher = TreeHasher()
    roots = {0: tree.EMPTY_ROOT}
    for entry in entries:
        hasher.append(tree.leaf_hash(entry))
        if hasher.size in tally.signed:
            roots[hasher.size] = hasher.root()
    for signed_size, signed_roots in tally.signed.items():
        tally.inconsistent += sum(root != roots.get(signed_size) for root in signed_roots)


@dataclass(frozen=True, slots=True)
class Life:
    """A forked child and the reading end of its report."""

    pid: int
    report: int

    def rest(self) -> bytes:
        """Return all that is left to read, once the child is dead, and bury it."""
        parts = []
        while part := os.read(self.report, 1 << 20):
            parts.append(part)
        os.close(self.report)
        os.waitpid(self.pid, 0)
        return b"".join(parts)


def _fork(work: Callable[[int], None]) -> Life:
    """Fork without a new interpreter: the imports are there, a life begins in a millisecond."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Life(pid, reading)
    try:
        os.close(reading)
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)  # strace is our sibling
        work(writing)
    finally:
        os._exit(0)


def _new_log() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="sealgate-crash-", dir=os.environ.get("SEALGATE_BENCH_DIR")))
    make(directory)
    return directory
