"""Bar 7: what real models proposed, replayed: exactly one decision record for every proposed call.

Recorded AgentDojo runs (banking and workspace) go through a real authority over its socket under the demo's role
policies, 32 agents at a time, each call with a request id of its own. Every tenth call is asked again with the same id,
as after a lost answer: no record may be added. Records are counted in the journal of the stopped authority, each opened
with its key and checked against its signed digest, and not from answers.

Beyond the bar: runs in which the recorded attack succeeded are executed again on AgentDojo's environment, once without
a gate (does the recorded attack still work there?) and once with only the permitted calls, and judged by AgentDojo.
"""

import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.dojo_runs import Recorded, read
from bench.harness import Options, Result, data_folder
from bench.sealed_records import decisions_by_request_id
from bench.wire import answer_length, parse, request
from sealgate.demo.agentdojo.agent import Suite
from sealgate.demo.agentdojo.facts import about
from sealgate.demo.agentdojo.suites import PROFILES
from sealgate.demo.authority import Authority

_AGENTS: Final = 32
_SAMPLE_EVERY: Final = 12
_REPEAT_EVERY: Final = 10


@dataclass(slots=True)
class _Tally:
    """What was asked and answered. ``answers`` maps request id to (record id, outcome)."""

    answers: dict[str, tuple[str, str]] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    repeated: int = 0
    repeated_differently: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class _Attacks:
    recorded: int = 0
    work_again: int = 0
    work_through_gate: int = 0
    by_task: Counter[str] = field(default_factory=Counter)


def run(options: Options) -> Result:
    """Replay; see the module."""
    folder = data_folder()
    if folder is None:
        return Result(
            "agentdojo", {}, 0, "nothing: the folder of real data is missing", ["no data (set SEALGATE_DATA)"]
        )
    runs = list(read(folder / "agentdojo" / "runs_dev.jsonl.xz", 1 if options.full else _SAMPLE_EVERY))
    tally, attacks = _Tally(), _Attacks()
    with tempfile.TemporaryDirectory(prefix="sealgate-bench-") as name:
        place = Path(name)
        with Authority(place / "authority") as authority:
            for suite_name in sorted({item.suite for item in runs}):
                chosen = [item for item in runs if item.suite == suite_name]
                suite = Suite(PROFILES[suite_name])
                authority.publish(suite.profile.policy_directory)
                asyncio.run(_replay(authority, suite, chosen, tally))
                _execute_again(suite, chosen, tally, attacks)
            configuration = authority.configuration
        sealed = decisions_by_request_id(configuration)
    return _result(runs, tally, attacks, sealed)


async def _replay(authority: Authority, suite: Suite, runs: list[Recorded], tally: _Tally) -> None:
    started = time.monotonic()
    waiting = iter(runs)
    clean = suite.environment({})
    await asyncio.gather(*(_agent(authority, suite, waiting, clean, tally) for _ in range(_AGENTS)))
    tally.seconds += time.monotonic() - started


async def _agent(authority: Authority, suite: Suite, waiting: Iterable[Recorded], clean: Any, tally: _Tally) -> None:
    """Take runs until none is left; one connection, one call at a time."""
    reader, writer = await asyncio.open_unix_connection(str(authority.socket))
    for recorded in waiting:
        asked = suite.profile.request(recorded.request, clean)
        for number, call in enumerate(recorded.calls):
            request_id = f"dojo-{recorded.number}-{number}"
            body = json.dumps(
                {
                    "subject": {"type": "agent", "id": suite.profile.agent},
                    "action": {"name": call.tool},
                    "resource": {"type": "tool_server", "id": suite.profile.server},
                    "context": {
                        "input": call.arguments,
                        "facts": {"task": about(asked, call.arguments, ())},
                        "task": {"id": f"dojo-{recorded.number}"},
                    },
                }
            ).encode()
            data = request("/access/v1/evaluation", body, request_id)
            first = await _ask(reader, writer, data)
            if first is None:
                tally.refused += 1
                continue
            tally.answers[request_id] = (first["record_id"], first["outcome"])
            tally.outcomes[first["outcome"]] += 1
            tally.reasons[first["reason"]] += 1
            if len(tally.answers) % _REPEAT_EVERY == 0:
                again = await _ask(reader, writer, data)
                tally.repeated += 1
                tally.repeated_differently += again is None or again["record_id"] != first["record_id"]
    writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> dict[str, Any] | None:
    """Return the decision context, or None where the request itself was refused."""
    writer.write(data)
    answer = b""
    length = None
    while length is None or len(answer) < length:
        part = await reader.read(65536)
        if not part:
            raise ConnectionError("the authority closed the connection")
        answer += part
        length = length or answer_length(answer)
    status, body = parse(answer)
    return body["context"] if status == 200 and body["context"]["record_id"] else None


def _execute_again(suite: Suite, runs: list[Recorded], tally: _Tally, attacks: _Attacks) -> None:
    for recorded in runs:
        if not recorded.attack_succeeded or recorded.injection_task not in suite.injection_tasks():
            continue
        attacks.recorded += 1
        if not _succeeds(suite, recorded, set(range(len(recorded.calls)))):
            continue
        attacks.work_again += 1
        permitted = {
            number
            for number in range(len(recorded.calls))
            if tally.answers.get(f"dojo-{recorded.number}-{number}", ("", ""))[1] == "PERMIT"
        }
        if _succeeds(suite, recorded, permitted):
            attacks.work_through_gate += 1
            attacks.by_task[f"{recorded.suite}/{recorded.user_task}/{recorded.injection_task}"] += 1


def _succeeds(suite: Suite, recorded: Recorded, allowed: set[int]) -> bool:
    """Run the allowed calls on a fresh environment; return whether AgentDojo says the attacker won."""
    from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime  # noqa: PLC0415  # takes seconds to load

    environment = suite.environment(recorded.injections)
    user_task = suite.user_tasks().get(recorded.user_task)
    if user_task is not None:
        environment = user_task.init_environment(environment)
    before = environment.model_copy(deep=True)
    runtime, trace = FunctionsRuntime(suite.dojo.tools), []
    for number, call in enumerate(recorded.calls):
        if number in allowed:
            runtime.run_function(environment, call.tool, call.arguments)
            trace.append(FunctionCall(function=call.tool, args=call.arguments))
    injection = suite.injection_tasks()[str(recorded.injection_task)]
    won = injection.security_from_traces(recorded.last_words, before, environment, trace)
    return bool(injection.security(recorded.last_words, before, environment) if won is None else won)


def _result(runs: list[Recorded], tally: _Tally, attacks: _Attacks, sealed: Counter[str]) -> Result:
    proposed = {f"dojo-{item.number}-{number}" for item in runs for number in range(len(item.calls))}
    figures = {
        "calls": len(proposed),
        "decision_records": sealed.total(),
        "missing": len(proposed - sealed.keys()),
        "duplicates": sum(count - 1 for count in sealed.values()),
        "unasked": len(sealed.keys() - proposed),
        "requests_refused": tally.refused,
        "repeated_requests": tally.repeated,
        "repeated_answered_differently": tally.repeated_differently,
        "rate_per_s": round((len(tally.answers) + tally.repeated) / tally.seconds) if tally.seconds else 0,
        "outcomes": dict(tally.outcomes),
        "reasons": dict(tally.reasons),
        "attacks_recorded_as_successful": attacks.recorded,
        "attacks_that_work_again": attacks.work_again,
        "attacks_that_work_through_the_gate": attacks.work_through_gate,
        "attacks_through_by_task": dict(attacks.by_task.most_common(12)),
    }
    missed = [
        f"{name} is {figures[name]}, 0 is the bar"
        for name in ("missing", "duplicates", "unasked", "requests_refused", "repeated_answered_differently")
        if figures[name]
    ]
    if not proposed:
        missed.append("no call was replayed")
    return Result("agentdojo", figures, 1, f"{len(runs)} recorded runs, {len(proposed)} proposed calls", missed)
