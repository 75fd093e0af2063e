"""Bar 2: a decision with 1,000 policies, and slicing against full evaluation on the whole Cedar corpus.

Measured is ``DecisionPoint.decide`` alone, in process: typing and checking the arguments, normal form of places, the
slice and entity caches (warm), the engine, obligations. Not included: the API, limits, the record, its signature and
the disk (those are the benchmark ``decide``). Requests cycle over agents, tools and arguments, so that the caches are
used as in service; two of five are not permitted.
"""

import time
from typing import Any

from bench.cedar_corpus import cases, load, question
from bench.harness import Options, Result, data_folder, percentile
from sealgate.policy import DecisionPoint, PolicyRequest

BAR_US = 50.0
AGENTS = 200
TOOLS = 20
ROLES = 20


def bundle(policies: int = 1000) -> dict[str, Any]:
    """Return a bundle of so many policies: permits for a role and a tool, a few forbids that apply to everything."""
    texts = [
        f'@id("p{n}") permit(principal in Role::"r{n % ROLES}", action == Action::"tool_{n // ROLES % TOOLS}", '
        f'resource == McpServer::"s{n // (ROLES * TOOLS)}") when {{ context.input.recipient like "GB{n % 7}*" && '
        f'context.input.amount.lessThanOrEqual(decimal("{100 + n}.0")) && context.input.count < 10 }};'
        for n in range(policies - 5)
    ]
    texts += [
        f'@id("f{n}") forbid(principal, action == Action::"tool_{n}", resource) '
        f'when {{ context.input.recipient == "blocked-{n}" }};'
        for n in range(5)
    ]
    schema = {
        "type": "object",
        "properties": {
            "recipient": {"type": "string"},
            "amount": {"type": "number"},
            "count": {"type": "integer"},
            "subject": {"type": "string"},
            "date": {"type": "string"},
        },
        "required": ["recipient", "amount", "count", "subject"],
    }
    entities = [
        {
            "uid": {"type": "Agent", "id": f"a{n}"},
            "attrs": {},
            "parents": [{"type": "Role", "id": f"r{n % ROLES}"}],
        }
        for n in range(AGENTS)
    ]
    entities += [{"uid": {"type": "Role", "id": f"r{n}"}, "attrs": {}, "parents": []} for n in range(ROLES)]
    entities += [{"uid": {"type": "McpServer", "id": f"s{n}"}, "attrs": {}, "parents": []} for n in range(3)]
    return {
        "format": "sealgate-policy/v1",
        "schema": None,
        "policies": [{"id": "bench", "text": "\n".join(texts)}],
        "tools": [{"server": "bench", "tools": [{"name": f"tool_{n}", "inputSchema": schema} for n in range(TOOLS)]}],
        "limits": [],
        "entities": entities,
    }


def requests() -> list[PolicyRequest]:
    """Return what is asked, in turn."""
    found = []
    for n in range(AGENTS * TOOLS):
        agent, tool = n % AGENTS, n // AGENTS
        policy = tool * ROLES + agent % ROLES  # the policy of this role, tool and the first server
        permitted = n % 5 < 3
        arguments = {
            "recipient": f"GB{policy % 7}29NWBK60161331926819" if permitted else "DE00",
            "amount": 99.5,
            "count": 3,
            "subject": "invoice 4711",
            "date": "2026-11-21",
        }
        found.append(PolicyRequest(("agent", f"a{agent}"), f"tool_{tool}", ("tool_server", "s0"), arguments))
    return found


def run(options: Options) -> Result:
    """Measure decisions, then compare slicing with full evaluation."""
    started = time.perf_counter()
    point = DecisionPoint.from_bundle(bundle())
    load_ms = (time.perf_counter() - started) * 1000
    asked = requests()
    outcomes: dict[str, int] = {}
    for request in asked:  # fills the entity cache
        outcome = str(point.decide(request).outcome)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    cpu = time.process_time()
    times = _measure(point, asked, seconds=min(5.0, options.seconds / 4))
    cpu_us = (time.process_time() - cpu) / len(times) * 1e6
    compared, different = _compare()
    p50 = percentile(times, 0.5)
    missed = [] if p50 <= BAR_US else [f"p50 {p50:.1f} µs is over {BAR_US:.0f} µs"]
    if different or not compared:
        missed.append(f"slicing differs in {different} of {compared}")
    figures = {
        "p50_us": round(p50, 1),
        "p90_us": round(percentile(times, 0.9), 1),
        "p99_us": round(percentile(times, 0.99), 1),
        "cpu_mean_us": round(cpu_us, 1),
        "policies": len(point.policies),
        "load_ms": round(load_ms, 1),
        "outcomes": outcomes,
        "slicing_compared": compared,
        "slicing_different": different,
    }
    measured_on = "DecisionPoint.decide in process, 1,000 policies, 200 agents, 20 tools, 5 arguments, caches warm"
    return Result("policy", figures, len(times), measured_on, missed)


def _measure(point: DecisionPoint, asked: list[PolicyRequest], *, seconds: float) -> list[float]:
    times = []
    clock = time.perf_counter_ns
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for request in asked:
            before = clock()
            point.decide(request)
            times.append((clock() - before) / 1000)
    return sorted(times)


def _compare() -> tuple[int, int]:
    folder = data_folder()
    if folder is None:
        return 0, 0
    compared = different = 0
    for case in cases(folder):
        loaded = load(case)
        sliced, full = loaded.evaluator(), loaded.evaluator(sliced=False)
        for request in case.requests:
            validate = request.get("validateRequest", True)
            one = sliced.evaluate(question(request), validate=validate)
            other = full.evaluate(question(request), validate=validate)
            compared += 1
            # Error texts name positions in the slice, so their number is compared.
            same = (one.outcome, one.reason, one.policies, len(one.errors))
            different += same != (other.outcome, other.reason, other.policies, len(other.errors))
    return compared, different
