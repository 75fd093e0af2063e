"""How an authority is: whether it can decide, and its figures."""

from collections.abc import Mapping
from typing import Any

from sealgate.authority.approvals import Approvals
from sealgate.authority.batches import Batches
from sealgate.authority.credentials import Broker
from sealgate.authority.erasure import Erasures
from sealgate.authority.execution import Execution
from sealgate.authority.gate import Gate
from sealgate.authority.parts import Parts
from sealgate.authority.rulebook import Rulebook
from sealgate.model.errors import UnavailableError


def readiness(parts: Parts, gate: Gate, broker: Broker, rulebook: Rulebook | None, *, started: bool) -> dict[str, Any]:
    """Return whether decisions can be made now, and what is wrong where they cannot."""
    clock = "ok"
    try:
        parts.recorder.time.now_ms()
    except UnavailableError as error:
        clock = error.message
    checks = {
        "started": "ok" if started else "replaying the journal",
        "journal": parts.journal.failure or "ok",
        "clock": clock,
        "policy": "ok" if rulebook else "no policy set is published",
        "ledger": gate.halted or parts.publisher.failure or "ok",
        "credentials": broker.views.problem() or "ok",
        "stopping": "yes" if gate.stopping else "ok",
    }
    needed = ("started", "journal", "clock", "policy", "stopping")
    ready = all(checks[name] == "ok" for name in needed) and gate.halted is None
    return {"ready": ready, "checks": checks}


def metrics(
    parts: Parts,
    *,
    gate: Gate,
    execution: Execution,
    batches: Batches,
    erasures: Erasures,
    approvals: Approvals,
    broker: Broker,
) -> Mapping[str, float]:
    """Return counters and gauges by Prometheus name."""
    decisions = {f"sealgate_decisions_{outcome.lower()}_total": float(count) for outcome, count in gate.counts.items()}
    executions = {f"sealgate_permits_{name}_total": float(n) for name, n in execution.counts.items()}
    return {
        **decisions,
        **executions,
        "sealgate_batches_total": float(batches.batches),
        "sealgate_items_total": float(batches.items),
        "sealgate_records_total": float(parts.recorder.recorded),
        "sealgate_journal_size": float(parts.journal.size),
        "sealgate_journal_syncs_total": float(parts.journal.syncs),
        "sealgate_open_decisions": float(len(parts.memory.decisions)),
        "sealgate_remembered_requests": float(len(parts.memory.remembered)),
        "sealgate_judgements_remembered_total": float(gate.remembered),
        "sealgate_missed_now": float(parts.recorder.missed.count if parts.recorder.missed else 0),
        "sealgate_checkpoints_total": float(parts.publisher.steps),
        "sealgate_tasks_open": float(len(parts.memory.tasks)),
        "sealgate_delegations": float(len(parts.memory.delegations)),
        "sealgate_tasks_kept": float(len(parts.memory.sessions)),
        "sealgate_agents_paused": float(len(parts.memory.paused)),
        "sealgate_erasures_executed_total": float(erasures.executed),
        **approvals.metrics(),
        **broker.views.metrics(),
    }
