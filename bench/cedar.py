"""Bar 4: the whole Cedar corpus through the gate's own decision function, then faults that must never permit.

Every request of the corpus is asked of ``sealgate.policy.engine.Evaluator``, which the decision point uses for every
decision, with slicing and caches on. Equal means: same decision, same determining policies, an error where the corpus
has one.
"""

import random
from collections import Counter

from bench.cedar_corpus import Loaded, agrees, cases, load, question
from bench.cedar_faults import FAULTS
from bench.harness import Options, Result, data_folder
from sealgate.model.decisions import Outcome
from sealgate.policy.engine import Question, Verdict

FAULT_COUNT = 2000
EXPECTED_REQUESTS = 62_546


def run(options: Options) -> Result:
    """Ask the corpus, then break things."""
    del options  # the whole corpus fits in a default run
    folder = data_folder()
    if folder is None:
        return Result("cedar", {"equal": 0}, 0, "nothing: the data folder is missing", ["data folder is missing"])
    asked = equal = 0
    permitted: list[tuple[Loaded, Question]] = []
    rng = random.Random(4)
    for case in cases(folder):
        loaded = load(case)
        evaluator = loaded.evaluator()
        candidate: Question | None = None
        for request in case.requests:
            verdict = evaluator.evaluate(question(request), validate=request.get("validateRequest", True))
            asked += 1
            equal += agrees(verdict, request)
            if verdict.outcome is Outcome.PERMIT:
                candidate = question(request)
        # The positive control of each fault: a request that is permitted when nothing is broken.
        if candidate is not None and evaluator.evaluate(candidate).outcome is Outcome.PERMIT:
            permitted.append((loaded, candidate))
    answers: Counter[str] = Counter()
    for number in range(FAULT_COUNT):
        loaded, broken = rng.choice(permitted)
        result = FAULTS[number % len(FAULTS)](loaded, broken, rng)
        answers[str(result.outcome) if isinstance(result, Verdict) else result] += 1
    missed = []
    if equal != asked or asked != EXPECTED_REQUESTS:
        missed.append(f"{equal} of {asked} equal, expected {EXPECTED_REQUESTS} of {EXPECTED_REQUESTS}")
    if answers[Outcome.PERMIT]:
        missed.append(f"{answers[Outcome.PERMIT]} of {FAULT_COUNT} faults permitted")
    figures = {
        "equal": equal,
        "asked": asked,
        "faults": FAULT_COUNT,
        "fault_permits": answers[Outcome.PERMIT],
        "fault_answers": dict(sorted(answers.items())),
        "permitted_controls": len(permitted),
    }
    return Result("cedar", figures, asked, "Cedar corpus and hand-written tests, whole", missed)
