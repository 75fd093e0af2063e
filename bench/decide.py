"""Bar 1: one decision over the Unix socket, durable, signed, encrypted, with the syncs counted.

In blocks that alternate on one machine and one file system: single decisions; bare append-and-fdatasync of records of
the same size; 64 callers from a separate light process; Vaara from PyPI with its default SQLite trail. Vaara gets
the best of three numbers of threads. Only PERMITs count: no fast error does. A single one that came too late for its
deadline counts with the time it took.

What is asked are the banking calls of recorded runs of real models, in order, that the role's policies permit. Many are
reads about which no policy asks for an argument; those the authority answers from memory (``remembered_share``). One
more figure has none of that help: a payment whose amount was never seen before.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench import recorded_calls
from bench.disk import BareAppend
from bench.harness import Options, Result, data_folder, percentile
from bench.peers.vaara import Vaara
from bench.quiet import MOMENT_S, SpeedWatch
from bench.syncs import watched
from bench.wire import Wire, request
from sealgate.demo.agentdojo.suites import PROFILES
from sealgate.demo.authority import Authority

CALLERS: Final = 64
_QUESTIONS: Final = 9_000
_TURNS: Final = 8
"""How often the 64 callers may come round to the same question within a block, each time as another task."""

_BLOCK: Final = 200
"""Decisions, or bare appends, before the other has its turn."""

BARS: Final = {
    "p50_ms": 0.5,
    "p99_ms": 2.0,
    "p50_above_bare_ms": 0.3,
    "rate_64_callers_per_s": 5000.0,
    "rate_ratio_to_vaara": 3.5,
}
_AT_LEAST: Final = frozenset({"rate_64_callers_per_s", "rate_ratio_to_vaara"})
_QUIET_ONLY: Final = frozenset({"p50_ms", "p99_ms"})
"""Judged only where the bare disk of the same run leaves our 0.3 ms of room below them, and most moments were quiet."""

_MOSTLY: Final = 0.75


@dataclass(slots=True)
class _Samples:
    decided: list[float] = field(default_factory=list)
    decided_at: list[float] = field(default_factory=list)
    unseen: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    remembered: float = 0.0
    ours: list[dict[str, Any]] = field(default_factory=list)
    vaara: list[float] = field(default_factory=list)


def payment(number: int) -> dict[str, Any]:
    """Return a question that nobody asked before: another amount for a standing order, judged by the banking role."""
    profile = PROFILES["banking"]
    known = "GB29NWBK60161331926819"
    return {
        "subject": {"type": "agent", "id": profile.agent},
        "action": {"name": "update_scheduled_transaction"},
        "resource": {"type": "tool_server", "id": profile.server},
        "context": {
            "input": {"id": 7, "recipient": known, "amount": round(100 + number / 100, 2)},
            "facts": {"task": {"asked": [], "from_user": [known], "vouched": [known], "used": []}},
            "task": {"id": "bench"},
        },
    }


def run(options: Options) -> Result:
    """Measure; see the module."""
    data = data_folder()
    if data is None:
        return Result("decide", {}, 0, "nothing: the folder of real data is missing", ["no data (set SEALGATE_DATA)"])
    questions = recorded_calls.permitted(data, _QUESTIONS)
    seconds = 120.0 if options.full else options.seconds
    with tempfile.TemporaryDirectory(prefix="sealgate-bench-") as folder:
        place = Path(folder)
        with Authority(place / "authority") as authority:
            authority.publish(PROFILES["banking"].policy_directory)
            one = _One(authority, questions)
            record_bytes = one.warm_up()
            syncs = one.count_syncs()
            vaara = Vaara.install(place)
            samples = _Samples()
            bare = BareAppend(place / "bare", record_bytes)
            rounds = 6 if options.full else 3
            with SpeedWatch() as speed:
                for _ in range(rounds):
                    _measure(samples, one, questions, bare, vaara, seconds / rounds)
            bare.close()
            samples.remembered = authority.metric("sealgate_judgements_remembered_total") or 0.0
    figures = {**_figures(samples, record_bytes, syncs, vaara, speed), "single_past_deadline": one.past_deadline}
    together = int(sum(load["answers"] for load in samples.ours))
    return Result(
        name="decide",
        figures=figures,
        runs=rounds,
        measured_on=f"{len(samples.decided)} single decisions, {together} by {CALLERS} callers",
        missed=_missed(figures),
    )


class _One:
    """One caller over one connection."""

    def __init__(self, authority: Authority, questions: list[bytes]) -> None:
        self._authority, self._questions = authority, questions
        self.socket = str(authority.socket)
        self._wire = Wire(self.socket)
        self._asked = 0
        self.past_deadline = 0

    def ask(self) -> float:
        """Ask the next recorded question; return the seconds from the first byte sent to the last byte received."""
        turn, number = divmod(self._asked, len(self._questions))
        return self._ask(in_turn(self._questions[number], turn))

    def pay(self) -> float:
        """Do the same for a payment with an amount of its own."""
        return self._ask(json.dumps(payment(self._asked), separators=(",", ":"), sort_keys=True).encode())

    def _ask(self, body: bytes) -> float:
        self._asked += 1
        data = request("/access/v1/evaluation", body, f"one-{self._asked}")
        start = time.perf_counter()
        answer = self._wire.exchange(data)
        taken = self._wire.received - start
        if b'"outcome":"PERMIT"' not in answer:
            if b'"reason":"deadline"' not in answer:
                raise RuntimeError(f"not a permit: {answer[:900]!r}")
            self.past_deadline += 1  # the disk stood still for so long; its time counts as any other's
        return taken

    def warm_up(self) -> int:
        """Ask some hundred times; return how many journal bytes one decision takes."""
        for _ in range(100):
            self.ask()
        before = self._authority.journal_bytes()
        for _ in range(400):
            self.ask()
        return max(64, (self._authority.journal_bytes() - before) // 400)

    def count_syncs(self) -> dict[str, Any]:
        """Count the syncs of 300 decisions, by strace and by the authority's own metric, in a run that is not timed."""
        before = self._authority.metric("sealgate_journal_syncs_total")
        with watched(self._authority.pid) as syncs:
            for _ in range(300):
                self.ask()
        after = self._authority.metric("sealgate_journal_syncs_total")
        return {
            "decisions_while_counted": 300,
            "syncs_by_strace": syncs.count,
            "syncs_by_metric": None if before is None or after is None else round(after - before),
        }


def in_turn(question: bytes, turn: int) -> bytes:
    """Return the question as one of another task: quotas are per task, and each turn has tasks of its own."""
    return question.replace(b'"id":"dojo-', b'"id":"t%d-dojo-' % turn)


def _measure(
    samples: _Samples, one: _One, questions: list[bytes], bare: BareAppend, vaara: Vaara | None, seconds: float
) -> None:
    share = seconds / 3
    until = time.monotonic() + share
    while time.monotonic() < until:
        for _ in range(_BLOCK):
            samples.decided.append(one.ask())
            samples.decided_at.append(time.perf_counter())
        samples.bare += bare.block(_BLOCK)
        samples.unseen += [one.pay() for _ in range(_BLOCK // 4)]
    samples.ours.append(_load(one.socket, questions, share, len(samples.ours) + 1))
    if vaara:
        samples.vaara.append(vaara.rate(vaara.threads, share))


def _load(socket: str, questions: list[bytes], seconds: float, block: int) -> dict[str, Any]:
    lines = b"\n".join(in_turn(question, 1000 * block + turn) for turn in range(_TURNS) for question in questions)
    command = [sys.executable, "-m", "bench.load", socket, str(CALLERS), str(seconds)]
    done = subprocess.run(command, input=lines, check=True, capture_output=True, timeout=seconds + 60)
    result: dict[str, Any] = json.loads(done.stdout)
    if result["permits"] < 0.9 * result["answers"]:
        raise RuntimeError(f"{result['answers'] - result['permits']} answers were no permits: {result['other']}")
    return result


def _in_quiet(samples: _Samples, bare_p50: float, speed: SpeedWatch) -> dict[str, Any]:
    """Return the figures of the moments in which every processor was near the best that it was in this run."""
    decided = sorted(taken for at, taken in zip(samples.decided_at, samples.decided, strict=True) if speed.quiet(at))
    moments = [count for load in samples.ours for at, count in load["answers_by_moment"] if speed.quiet(at)]
    p50 = percentile(decided, 0.5) * 1000 if decided else None
    return {
        "best_ed25519_signature_us": round(speed.best_us, 1),
        "quiet_share": round(speed.quiet_share, 2),
        "quiet_single_decisions": len(decided),
        "quiet_p50_ms": p50 and round(p50, 3),
        "quiet_p99_ms": round(percentile(decided, 0.99) * 1000, 3) if decided else None,
        "quiet_p50_above_bare_ms": p50 and round(p50 - bare_p50, 3),
        "quiet_moments_64_callers": len(moments),
        "quiet_rate_64_callers_per_s": round(sum(moments) / len(moments) / MOMENT_S) if moments else None,
    }


def _figures(
    samples: _Samples, record_bytes: int, syncs: dict[str, Any], vaara: Vaara | None, speed: SpeedWatch
) -> dict[str, Any]:
    decided, bare = sorted(samples.decided), sorted(samples.bare)
    p50, bare_p50 = percentile(decided, 0.5) * 1000, percentile(bare, 0.5) * 1000
    ours = sum(load["permits"] for load in samples.ours) / sum(load["seconds"] for load in samples.ours)
    theirs = sum(samples.vaara) / len(samples.vaara) if samples.vaara else None
    return {
        "p50_ms": round(p50, 3),
        "p99_ms": round(percentile(decided, 0.99) * 1000, 3),
        "bare_p50_ms": round(bare_p50, 3),
        "bare_p99_ms": round(percentile(bare, 0.99) * 1000, 3),
        "p50_unseen_arguments_ms": round(percentile(sorted(samples.unseen), 0.5) * 1000, 3),
        "p50_above_bare_ms": round(p50 - bare_p50, 3),
        **_in_quiet(samples, bare_p50, speed),
        "quiet_machine": bare_p50 <= 0.2 and percentile(bare, 0.99) * 1000 <= 1.7 and speed.quiet_share >= _MOSTLY,
        "record_bytes": record_bytes,
        **syncs,
        "remembered_share": round(samples.remembered / _asked(samples), 2),
        "callers": CALLERS,
        "rate_64_callers_per_s": round(ours),
        "rate_64_callers_by_block_per_s": [round(load["rate_per_s"]) for load in samples.ours],
        "not_permitted_64_callers": sum(load["answers"] - load["permits"] for load in samples.ours),
        "not_permitted_example": next((load["other"] for load in samples.ours if load["other"]), ""),
        "p50_64_callers_ms": round(sum(load["p50_ms"] for load in samples.ours) / len(samples.ours), 2),
        "p99_64_callers_ms": round(max(load["p99_ms"] for load in samples.ours), 2),
        "load_cpu_share": round(
            sum(load["client_cpu_s"] for load in samples.ours) / sum(load["seconds"] for load in samples.ours), 2
        ),
        "vaara_rate_per_s": round(theirs) if theirs else None,
        "vaara_threads": vaara.threads if vaara else None,
        "vaara_tried_per_s": vaara.tried if vaara else None,
        "rate_ratio_to_vaara": round(ours / theirs, 2) if theirs else None,
    }


def _asked(samples: _Samples) -> float:
    return float(len(samples.decided) + len(samples.unseen) + sum(load["answers"] for load in samples.ours) + 800)


def _missed(figures: dict[str, Any]) -> list[str]:
    """Name the bars not met; what could not be measured is not met."""
    missed = []
    for name, bar in BARS.items():
        if name in _QUIET_ONLY and not figures["quiet_machine"]:
            continue
        value = figures[name]
        bound = "at least" if name in _AT_LEAST else "at most"
        met = value is not None and (value >= bar if name in _AT_LEAST else value <= bar)
        if not met:
            missed.append(f"{name} is {value}, {bound} {bar} is the bar")
    return missed
