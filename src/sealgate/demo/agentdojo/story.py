"""What the demo runs, in order, and what it counts. No printing here; ``report`` shows it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sealgate.demo.agentdojo.agent import Run, Step, Suite
from sealgate.demo.agentdojo.gates import Gate, NoGate
from sealgate.model.decisions import Outcome


@dataclass(slots=True)
class Attack:
    """One of AgentDojo's injection tasks, tried against every user task of its suite."""

    injection_task: str
    goal: str
    scripted: bool
    """AgentDojo publishes reference calls for it. Without them there is nothing to run."""
    words_only: bool
    """The goal is something the agent says, so there is no call that a gate could stop."""
    tried: int = 0
    reached_without_gate: int = 0
    reached: int = 0
    reached_in: list[str] = field(default_factory=list)
    stopped_by: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Chapter:
    """What happened in one suite."""

    suite: str
    agent: str
    alone: list[Run] = field(default_factory=list)
    attacks: list[Attack] = field(default_factory=list)
    useful_under_attack: int = 0
    under_attack: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    """Calls by outcome."""
    sample: Run | None = None
    """One attacked run to show call by call."""

    @property
    def tasks_done(self) -> int:
        """Count the user tasks that succeeded, by AgentDojo's own judgement."""
        return sum(run.useful for run in self.alone)

    @property
    def reached(self) -> int:
        """Count the attacked runs in which the attacker's goal was reached."""
        return sum(attack.reached for attack in self.attacks)

    @property
    def reached_without_gate(self) -> int:
        """Count them for the same attacks with no gate."""
        return sum(attack.reached_without_gate for attack in self.attacks)

    @property
    def tried(self) -> int:
        """Count the attacked runs."""
        return sum(attack.tried for attack in self.attacks)


def tell(suite: Suite, gate: Gate) -> Iterator[Chapter]:
    """Run one suite and yield its chapter after every run, so that progress can be shown; the last is whole."""
    chapter = Chapter(suite.profile.name, suite.profile.agent)
    for user_task in suite.user_tasks():
        run = suite.run(gate, user_task)
        chapter.alone.append(run)
        _count(chapter, run.steps)
        yield chapter
    for injection_task, task in suite.injection_tasks().items():
        scripted = bool(suite.script(injection_task))
        said = bool(task.GROUND_TRUTH_OUTPUT) and not scripted
        attack = Attack(injection_task, " ".join(str(task.GOAL).split()), scripted, said)
        chapter.attacks.append(attack)
        if attack.scripted:
            for user_task in suite.user_tasks():
                _try(chapter, attack, suite, gate, user_task)
                yield chapter


def _try(chapter: Chapter, attack: Attack, suite: Suite, gate: Gate, user_task: str) -> None:
    attack.tried += 1
    attack.reached_without_gate += suite.run(NoGate(), user_task, attack.injection_task).hijacked
    run = suite.run(gate, user_task, attack.injection_task)
    _count(chapter, run.steps)
    chapter.under_attack += 1
    chapter.useful_under_attack += run.useful
    if run.hijacked:
        attack.reached += 1
        attack.reached_in.append(user_task)
    for step in stopped(run.steps):
        attack.stopped_by[f"{step.tool}: {why(step)}"] += 1
    if chapter.sample is None or _tells_more(run, chapter.sample):
        chapter.sample = run


def _tells_more(run: Run, than: Run) -> bool:
    """Prefer a run with more calls of the user that ran and an attack that was stopped, but one that fits a page."""
    return (run.useful and not run.hijacked and len(run.steps) <= 6) and (
        len(run.steps) > len(than.steps) or len(than.steps) > 6 or not than.useful
    )


def _count(chapter: Chapter, steps: Iterable[Step]) -> None:
    chapter.calls.update(step.answer.outcome.value for step in steps)


def stopped(steps: Iterable[Step]) -> list[Step]:
    """Return the attacker's calls that did not run."""
    return [step for step in steps if step.wanted_by == "attacker" and not step.answer.ran]


def why(step: Step) -> str:
    """Return the rule that decided, or the reason where no rule did."""
    return ", ".join(step.answer.policies) or step.answer.reason


def totals(chapters: Iterable[Chapter]) -> dict[str, Any]:
    """Return the figures of the whole demo."""
    told = list(chapters)
    calls: Counter[str] = sum((chapter.calls for chapter in told), Counter())
    return {
        "suites": {chapter.suite: _figures(chapter) for chapter in told},
        "user_tasks": sum(len(chapter.alone) for chapter in told),
        "user_tasks_done": sum(chapter.tasks_done for chapter in told),
        "attacked_runs": sum(chapter.tried for chapter in told),
        "goals_reached_without_gate": sum(chapter.reached_without_gate for chapter in told),
        "goals_reached": sum(chapter.reached for chapter in told),
        "calls": sum(calls.values()),
        **{f"calls_{outcome.value.lower()}": calls[outcome.value] for outcome in Outcome},
    }


def _figures(chapter: Chapter) -> dict[str, Any]:
    return {
        "user_tasks": len(chapter.alone),
        "user_tasks_done": chapter.tasks_done,
        "not_done": {
            run.user_task: [f"{step.tool}: {why(step)}" for step in run.steps if not step.answer.ran]
            for run in chapter.alone
            if not run.useful
        },
        "attacked_runs": chapter.tried,
        "useful_under_attack": chapter.useful_under_attack,
        "goals_reached_without_gate": chapter.reached_without_gate,
        "goals_reached": chapter.reached,
        "reached": {attack.injection_task: attack.reached_in for attack in chapter.attacks if attack.reached},
        "stopped_by": {
            attack.injection_task: dict(attack.stopped_by) for attack in chapter.attacks if attack.stopped_by
        },
        "without_script": [
            item.injection_task for item in chapter.attacks if not item.scripted and not item.words_only
        ],
        "words_only": [item.injection_task for item in chapter.attacks if item.words_only],
        "calls": dict(chapter.calls),
    }
