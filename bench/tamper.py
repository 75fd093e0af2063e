"""Bar 5: 2,150 ways of tampering with an exported log, each detected against a pinned checkpoint; no false alarm.

The attacker changes bits and files, or rebuilds the whole directory, in forks and rollbacks also with the log's own
signing key. The verifier has the trust file and one checkpoint that it kept. Detected means a verdict of altered, not
proven, fork or gap; "unreadable" does not count.
"""

import multiprocessing
import os
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.harness import Options, Result
from bench.logmaker import Keys, LogMaker, fill, make_log, write_file
from sealgate.proofs import tiles
from sealgate.verifier.log import LogOptions, verify_log
from sealgate.verifier.report import Report, Verdict

PLAN: Final = {
    "flips": 1000,
    "deletions": 250,
    "reorders": 200,
    "insertions": 200,
    "truncations": 200,
    "forks": 150,
    "rollbacks": 75,
    "key_swaps": 75,
}
CLEAN_RUNS: Final = 100
RECORDS: Final = 290
DETECTED: Final = (Verdict.ALTERED, Verdict.NOT_PROVEN, Verdict.FORK, Verdict.GAP)
MIN_NAMED: Final = 0.99

Files = dict[str, bytes]
Sealed = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Attack:
    """A tampered directory; ``first_bad`` is the record that should be named, where one can be."""

    files: Files
    first_bad: int | None = None


class Bench:
    """The honest log, and the attacks on it."""

    def __init__(self, records: int = RECORDS) -> None:
        self.keys = Keys("tamper", witnesses=1)
        self.log = make_log(records, keys=self.keys, quorum=1)
        self.trust = self.log.trust()
        self.pinned = self.log.files["checkpoint"]
        self.evidence = [path for path in self.log.files if path.startswith(("stmt/", "body/", "tile/"))]
        self.weights = [len(self.log.files[path]) for path in self.evidence]

    def rebuild(self, sealed: Sealed, *, keys: Keys | None = None, published: bool = False) -> Files:
        """Return a consistent directory of these records; ``published`` also signs a checkpoint with the log key."""
        maker = LogMaker(keys or self.keys, quorum=1)
        for item, body in sealed:
            maker.append_sealed(item, body)
        maker.publish()
        return maker.files if published else maker.files | {"checkpoint": self.pinned}

    # the attacks ----------------------------------------------------------------------------------------------------

    def flips(self, rng: random.Random) -> Attack:
        """One bit, anywhere in the evidence; one in twenty in the checkpoint, where no record can be named."""
        path = "checkpoint" if rng.random() < 0.05 else rng.choices(self.evidence, self.weights)[0]
        data = bytearray(self.log.files[path])
        at = rng.randrange(len(data))
        data[at] ^= 1 << rng.randrange(8)
        return Attack({path: bytes(data)}, self._record_at(path, at))

    def deletions(self, rng: random.Random) -> Attack:
        """A file, a record out of the statements, or a record out of everything."""
        way, index = rng.randrange(3), rng.randrange(self.log.size)
        if way == 0:
            return Attack({rng.choice(self.evidence): b""})
        sealed = self.log.sealed[:index] + self.log.sealed[index + 1 :]
        return self._edited(sealed, consistent=way == 2)

    def reorders(self, rng: random.Random) -> Attack:
        """Two records swapped, among the statements or in everything."""
        sealed = list(self.log.sealed)
        one, two = rng.sample(range(len(sealed)), 2)
        sealed[one], sealed[two] = sealed[two], sealed[one]
        return self._edited(sealed, consistent=rng.random() < 0.5)

    def insertions(self, rng: random.Random) -> Attack:
        """A record of the log repeated, or a stranger's record, put in somewhere."""
        sealed, index = list(self.log.sealed), rng.randrange(self.log.size)
        if rng.random() < 0.5:
            sealed.insert(index, rng.choice(sealed))
        else:
            sealed.insert(index, make_log(2, keys=Keys(f"stranger {rng.random()}")).sealed[1])
        return self._edited(sealed, consistent=rng.random() < 0.5)

    def truncations(self, rng: random.Random) -> Attack:
        """A file cut short, or the log cut short under the same checkpoint."""
        if rng.random() < 0.5:
            path = rng.choice(self.evidence)
            return Attack({path: self.log.files[path][: rng.randrange(len(self.log.files[path]))]})
        kept = rng.randrange(1, self.log.size)
        return Attack(_replacing(self.log.files, self.rebuild(self.log.sealed[:kept])))

    def forks(self, rng: random.Random) -> Attack:
        """Another history, signed by the stolen log and statement keys, as long as the pinned one or longer."""
        at = rng.randrange(1, self.log.size)
        other = LogMaker(self.keys, quorum=1)
        for item, body in self.log.sealed[:at]:
            other.append_sealed(item, body)
        other.seq = at
        other.append("decision", {"action": "nothing_happened", "noise": rng.randrange(2**40)})
        fill(other, self.log.size + rng.choice((0, 0, rng.randrange(1, 40))))
        return Attack(_replacing(self.log.files, other.files))

    def rollbacks(self, rng: random.Random) -> Attack:
        """An earlier state of the log, honestly signed back then."""
        kept = rng.randrange(1, self.log.size)
        return Attack(_replacing(self.log.files, self.rebuild(self.log.sealed[:kept], published=True)))

    def key_swaps(self, rng: random.Random) -> Attack:
        """Records, or everything, signed by a key that nobody vouches for."""
        thief = Keys(f"thief {rng.random()}", witnesses=1)
        if rng.random() < 0.5:  # the whole log, under the thief's keys
            return Attack(_replacing(self.log.files, make_log(self.log.size, keys=thief, quorum=1).files))
        at = rng.randrange(1, self.log.size)
        other = LogMaker(self.keys, quorum=1)
        for item, body in self.log.sealed[:at]:
            other.append_sealed(item, body)
        other.seq = at
        other.sign_with(thief.statement)
        fill(other, self.log.size)
        return Attack(_replacing(self.log.files, other.files))

    def _edited(self, sealed: Sealed, *, consistent: bool) -> Attack:
        built = self.rebuild(sealed)
        if not consistent:
            built = {path: data for path, data in built.items() if path.startswith("stmt/")}
            same = {path: data for path, data in self.log.files.items() if not path.startswith("stmt/")}
            built = same | built
        return Attack(_replacing(self.log.files, built))

    def _record_at(self, path: str, at: int) -> int | None:
        """Return the record that the byte at ``at`` of an evidence file belongs to."""
        if path == "checkpoint":
            return None
        kind, number, _ = tiles.parse_path(path)
        start = number * 256
        if kind == "tile/entries":
            return start + at // 34
        if kind.startswith("tile/"):
            level = int(kind[5:])
            return (start + at // 32) << 8 * level
        head = 2 if kind == "stmt" else 4
        data, position, index = self.log.files[path], 0, start
        while position <= at:
            position += head + int.from_bytes(data[position : position + head], "big")
            index += 1
        return index - 1


def _replacing(old: Files, new: Files) -> Files:
    """Return what turns ``old`` into ``new``; empty bytes stand for a file that goes away."""
    gone = {path: b"" for path in old if path not in new and path != "trust.json"}
    changed = {path: data for path, data in new.items() if path != "trust.json" and data != old.get(path)}
    return gone | changed


class Directory:
    """An honest directory on disk that attacks are laid over and taken off again."""

    def __init__(self, folder: Path, bench: Bench) -> None:
        self._folder = folder
        self._bench = bench
        bench.log.write(folder)

    def verify(self, attack: Attack) -> Report:
        """Return what the verifier says about the tampered directory."""
        for path, data in attack.files.items():
            if data:
                write_file(self._folder, path, data)
            else:
                (self._folder / path).unlink()
        try:
            return verify_log(self._folder, self._bench.trust, LogOptions(prior=self._bench.pinned))
        finally:
            for path in attack.files:
                if path in self._bench.log.files:
                    write_file(self._folder, path, self._bench.log.files[path])
                else:
                    (self._folder / path).unlink()


def attack_all(jobs: list[tuple[str, int]]) -> Counter[str]:
    """Run (kind, seed) jobs; count what happened."""
    bench, counts = Bench(), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        directory = Directory(Path(folder), bench)
        for kind, seed in jobs:
            make: Callable[[random.Random], Attack] = getattr(bench, kind)
            attack = make(random.Random(f"{kind} {seed}"))
            report = directory.verify(attack)
            counts[f"{kind}_detected" if report.verdict in DETECTED else f"{kind}_missed"] += 1
            counts[f"verdict_{report.verdict.value}"] += 1
            if attack.first_bad is not None:
                counts["to_be_named"] += 1
                counts["named"] += report.first_bad_index == attack.first_bad
    return counts


def clean_all(seeds: list[int]) -> Counter[str]:
    """Verify honest logs of many shapes; count alarms."""
    counts = Counter[str]()
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            log, pinned, trust = clean_log(random.Random(seed))
            log.write(Path(folder))
            report = verify_log(Path(folder), trust, LogOptions(prior=pinned))
            counts["clean" if report.verdict is Verdict.VERIFIED else "alarms"] += 1
    return counts


def clean_log(rng: random.Random) -> tuple[LogMaker, bytes, bytes]:
    """Return an honest log with restarts, rotations, recorded gaps; a checkpoint kept on the way; its trust file."""
    keys = Keys(f"clean {rng.random()}", witnesses=rng.randrange(3))
    log = LogMaker(keys, with_bodies=rng.random() < 0.8, quorum=len(keys.witnesses))
    log.genesis()
    trust = log.trust()
    size, kept = rng.choice((1, 2, 255, 256, 257, rng.randrange(2, 600))), rng.random()
    pinned = log.checkpoint()
    while log.size < size:
        _live(log, rng)
        if log.size <= kept * size:
            pinned = log.checkpoint()
    log.publish()
    return log, pinned, trust


def _live(log: LogMaker, rng: random.Random) -> None:
    """Let one ordinary or less ordinary thing happen. Without bodies nobody can tell, so only the ordinary does."""
    chance = rng.random() if log.with_bodies else 1.0
    if chance < 0.01:
        log.reboot(rng.randrange(2**30))
    elif chance < 0.02:
        fresh = log.keys.named(f"statement {log.size}")
        log.key_event("key.added", fresh)
        old, log.signer = log.signer, fresh
        log.sign_with(fresh)
        log.key_event("key.retired", old)
    elif chance < 0.03:
        lost = rng.randrange(1, 5)
        gap = {"gap_epoch": log.epoch.hex(), "seq_from": log.seq, "seq_to": log.seq + lost - 1, "reason": "disk full"}
        log.seq += lost
        log.append("capture.gap", gap)
    else:
        log.append()


def shares(jobs: list[tuple[str, int]], count: int) -> Iterator[list[tuple[str, int]]]:
    """Yield the jobs in ``count`` parts of like mixture."""
    for number in range(count):
        yield jobs[number::count]


def run(options: Options) -> Result:
    """Run the plan on all processors; ``--full`` five times over with other seeds."""
    rounds = 5 if options.full else 1
    jobs = [(kind, seed) for kind, count in PLAN.items() for seed in range(count * rounds)]
    processes = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        counts = sum(pool.imap_unordered(attack_all, shares(jobs, processes)), Counter[str]())
        clean = sum(
            pool.imap_unordered(clean_all, [list(range(CLEAN_RUNS))[n::processes] for n in range(processes)]), Counter()
        )
    detected = sum(counts[f"{kind}_detected"] for kind in PLAN)
    named = counts["named"] / counts["to_be_named"]
    figures = {
        "attacks": len(jobs),
        "detected": detected,
        "undetected": len(jobs) - detected,
        **{f"{kind}_detected": counts[f"{kind}_detected"] for kind in PLAN},
        **{name: count for name, count in sorted(counts.items()) if name.startswith("verdict_")},
        "first_bad_record_named_share": round(named, 5),
        "flips_with_a_record_to_name": counts["to_be_named"],
        "clean_runs": CLEAN_RUNS,
        "false_alarms": clean["alarms"],
    }
    missed = []
    if detected != len(jobs):
        missed.append(f"{len(jobs) - detected} of {len(jobs)} attacks went undetected")
    if named < MIN_NAMED:
        missed.append(f"first bad record named in {named:.2%} of flips, {MIN_NAMED:.0%} asked")
    if clean["alarms"]:
        missed.append(f"{clean['alarms']} false alarms in {CLEAN_RUNS} clean runs")
    return Result("tamper", figures, rounds, f"a log of {RECORDS} records with bodies, one witness", missed)
