"""Questions that real models' runs give rise to: recorded AgentDojo banking calls, in order, that the role permits.

Which are permitted is found with a policy set of our own, so that the measured authority has seen none of them before.
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.dojo_runs import Recorded, read
from sealgate.authority.rulebook import Rulebook
from sealgate.cli.policy_directory import read_directory
from sealgate.demo.agentdojo.agent import Suite
from sealgate.demo.agentdojo.facts import about
from sealgate.demo.agentdojo.suites import PROFILES
from sealgate.encoding import canonical
from sealgate.model.decisions import Outcome
from sealgate.model.evaluation import EvaluationRequest
from sealgate.ports.judging import Judgement

SUITE: Final = "banking"


def permitted(folder: Path, count: int) -> list[bytes]:
    """Return ``count`` permitted questions as request bodies, from the first recorded runs on, each asked once."""
    rulebook = Rulebook.load(canonical.encode_arguments(read_directory(PROFILES[SUITE].policy_directory), max_depth=64))
    wanted = (body for number, body in enumerate(_questions(folder)) if _permits(rulebook, body, number))
    return list(itertools.islice(wanted, count))


def _questions(folder: Path) -> Iterator[bytes]:
    suite = Suite(PROFILES[SUITE])
    clean = suite.environment({})
    for recorded in read(folder / "agentdojo" / "runs_dev.jsonl.xz"):
        if recorded.suite == SUITE:
            for question in _of_run(suite, recorded, clean):
                yield json.dumps(question, separators=(",", ":"), sort_keys=True).encode()


def _of_run(suite: Suite, recorded: Recorded, clean: Any) -> Iterator[dict[str, Any]]:
    asked = suite.profile.request(recorded.request, clean)
    used: list[str] = []
    for call in recorded.calls:
        yield {
            "subject": {"type": "agent", "id": suite.profile.agent},
            "action": {"name": call.tool},
            "resource": {"type": "tool_server", "id": suite.profile.server},
            "context": {
                "input": call.arguments,
                "facts": {"task": about(asked, call.arguments, used)},
                "task": {"id": f"dojo-{recorded.number}"},
            },
        }
        used.append(call.tool)


def _permits(rulebook: Rulebook, body: bytes, number: int) -> bool:
    question = msgspec.json.decode(body, type=EvaluationRequest)
    judged = rulebook.recall(question)
    if not isinstance(judged, Judgement):
        judged = rulebook.judge(judged, lambda: 1.0)
    return rulebook.rule(judged, question, f"r{number}", number).outcome is Outcome.PERMIT
