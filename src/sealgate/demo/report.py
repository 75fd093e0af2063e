"""Shows the demo: tables on a terminal, the same in plain ASCII elsewhere."""

import io
import json
import sys
from collections.abc import Iterable
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sealgate.demo.agent import Run, Step
from sealgate.demo.evidence import Check, Flip
from sealgate.demo.story import Attack, Chapter, why

_PLAIN_WIDTH: Final = 120
_STYLES: Final = {"PERMIT": "green", "DENY": "red", "SILENCE": "yellow"}


def console() -> Console:
    """Return a console: colours and lines on a terminal; ASCII of a fixed width, uncoloured, elsewhere."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a pipe may not take every character of a task's text
    return Console(highlight=False, width=_PLAIN_WIDTH, no_color=True, force_terminal=False)


class Report:
    """Prints one part after the other."""

    def __init__(self, output: Console) -> None:
        self._output = output
        self._box = box.ROUNDED if output.is_terminal else box.ASCII

    def heading(self, text: str) -> None:
        """Print the title of a part."""
        self._output.print()
        self._output.print(Text(text, style="bold"))

    def line(self, text: str) -> None:
        """Print a sentence; its text is data and never markup."""
        self._output.print(Text(text), soft_wrap=not self._output.is_terminal)

    def _table(self, title: str, *columns: str) -> Table:
        table = Table(
            title=title, box=self._box, title_justify="left", title_style="bold" if self._output.is_terminal else ""
        )
        for column in columns:
            table.add_column(column, justify="right" if column.startswith("#") else "left", overflow="fold")
        return table

    def users(self, chapters: Iterable[Chapter]) -> None:
        """Show what the agents did for their users, and what they could not do."""
        table = self._table(
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
        table = self._table(
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
        table = self._table(
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

    def check(self, check: Check) -> None:
        """Show one run of the verifier with everything it printed."""
        self.line(f"$ {check.command}")
        for line in check.output.splitlines():
            self.line(f"  {line}")
        self.line(f"  (exit status {check.exit_code})")

    def flip(self, flip: Flip, index: int) -> None:
        """Say which byte is changed now."""
        self.heading("One byte of the exported log is flipped")
        self.line(
            f"  {flip.file}, offset {flip.offset}: 0x{flip.before:02x} -> 0x{flip.after:02x}, "
            f"inside the statement of record {index}"
        )

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
        Text(f"{number}: {_cut(attack.goal, 64)}"),
        str(attack.tried),
        str(attack.reached_without_gate),
        str(attack.reached),
        Text("\n".join(rule for rule, _ in most) or "-"),
    )


def _refusals(run: Run) -> str:
    return "; ".join(f"{step.tool}: {why(step)}" for step in run.steps if not step.answer.ran)


def _call(step: Step) -> str:
    return _cut(f"{step.tool}({json.dumps(dict(step.arguments), ensure_ascii=False)[1:-1]})", 72)


def _decision(step: Step) -> Text:
    outcome = step.answer.outcome.value
    return Text(outcome, style=_STYLES[outcome])


def _why(step: Step) -> str:
    if step.answer.ran:
        return "ran" + (f", failed: {step.answer.error}" if step.answer.error else "")
    return why(step)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
