"""Shows the suites of AgentDojo: the work, the attacks, and why each was stopped."""

import json
from collections.abc import Iterable
from typing import Any

from rich.text import Text

from sealgate.demo.agentdojo.agent import Run, Step
from sealgate.demo.agentdojo.story import Attack, Chapter, why
from sealgate.demo.report import STYLES, Report, cut


class DojoReport(Report):
    """Prints what happened in the suites."""

    def users(self, chapters: Iterable[Chapter]) -> None:
        """Show what the agents did for their users, and what they could not do."""
        table = self.table(
            "Work: AgentDojo's user tasks, done through the gate",
            "suite",
            "agent",
            "# tasks",
            "# done",
            "not done, and why",
        )
        for chapter in chapters:
            failed = [f"{run.user_task}: {_refusals(run)}" for run in chapter.alone if not run.useful]
            table.add_row(
                chapter.suite, chapter.agent, str(len(chapter.alone)), str(chapter.tasks_done), "\n".join(failed) or "-"
            )
        self._output.print(table)

    def attacks(self, chapters: Iterable[Chapter]) -> None:
        """Show every injection goal: how often it was reached without and with the gate, and what stopped it."""
        table = self.table(
            "Attack: AgentDojo's injection goals, by an agent that obeys them, in every user task",
            "suite", "goal", "# tried", "# no gate", "# gate", "stopped by",
        )  # fmt: skip
        for chapter in chapters:
            for attack in chapter.attacks:
                if attack.scripted:
                    table.add_row(*_attack_row(chapter.suite, attack))
            table.add_section()
        self._output.print(table)

    def sample(self, chapters: Iterable[Chapter]) -> None:
        """Show one attacked task of each suite call by call."""
        table = self.table(
            "Call by call: one attacked task of each suite", "suite / task", "wanted by", "call", "decision", "why"
        )
        for chapter in chapters:
            if chapter.sample is None:
                continue
            for number, step in enumerate(chapter.sample.steps):
                name = f"{chapter.suite} / {chapter.sample.user_task}" if number == 0 else ""
                table.add_row(name, step.wanted_by, Text(_call(step)), _decision(step), Text(_why(step)))
            table.add_section()
        self._output.print(table)

    def limits(self, chapters: Iterable[Chapter]) -> None:
        """Say what the role policies did not stop, and what was not tried."""
        self.heading("What role policies did not stop, and what was not tried")
        for chapter in chapters:
            for attack in chapter.attacks:
                where = f"  {chapter.suite} {attack.injection_task}:"
                if attack.reached:
                    tasks = ", ".join(task.removeprefix("user_task_") for task in attack.reached_in)
                    self.line(f"{where} reached in user tasks {tasks}, whose own request needs the same right")
                if attack.words_only:
                    self.line(f"{where} words, not an action; no gate stops an agent from saying something")
            rest = [item for item in chapter.attacks if not item.scripted and not item.words_only]
            if rest:
                numbers = ", ".join(item.injection_task.removeprefix("injection_task_") for item in rest)
                self.line(
                    f"  {chapter.suite} injection tasks {numbers}: AgentDojo publishes no reference calls to run;"
                )
                self.line("    `python -m bench agentdojo` replays what real models tried")

    def summary(self, figures: dict[str, Any]) -> None:
        """Print the sums."""
        self.heading("Summary")
        self.line(
            f"  {figures['user_tasks_done']} of {figures['user_tasks']} user tasks done; "
            f"{figures['goals_reached']} of {figures['attacked_runs']} attacks reached their goal "
            f"({figures['goals_reached_without_gate']} without the gate)"
        )
        self.line(
            f"  {figures['calls']} calls: {figures['calls_permit']} PERMIT, {figures['calls_deny']} DENY, "
            f"{figures['calls_silence']} SILENCE; {figures['records']} records sealed in {figures['seconds']:.0f} s"
        )


def _attack_row(suite: str, attack: Attack) -> tuple[str | Text, ...]:
    most = attack.stopped_by.most_common(2)
    number = attack.injection_task.removeprefix("injection_task_")
    return (
        suite,
        Text(f"{number}: {cut(attack.goal, 64)}"),
        str(attack.tried),
        str(attack.reached_without_gate),
        str(attack.reached),
        Text("\n".join(rule for rule, _ in most) or "-"),
    )


def _refusals(run: Run) -> str:
    return "; ".join(f"{step.tool}: {why(step)}" for step in run.steps if not step.answer.ran)


def _call(step: Step) -> str:
    return cut(f"{step.tool}({json.dumps(dict(step.arguments), ensure_ascii=False)[1:-1]})", 72)


def _decision(step: Step) -> Text:
    outcome = step.answer.outcome.value
    return Text(outcome, style=STYLES[outcome])


def _why(step: Step) -> str:
    if step.answer.ran:
        return "ran" + (f", failed: {step.answer.error}" if step.answer.error else "")
    return why(step)
