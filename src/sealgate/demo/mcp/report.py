"""Shows the story: one table a chapter, each line with what was decided and what was found to be so."""

from typing import Any, Final

from rich.text import Text

from sealgate.demo.mcp.story import Chapter
from sealgate.demo.report import STYLES, Report, cut

_CALL: Final = 64
_WHY: Final = 80


class StoryReport(Report):
    """Prints chapters."""

    def chapter(self, number: int, chapter: Chapter) -> None:
        """Show one chapter."""
        compared = any(line.without for line in chapter.lines)
        extra = ("no gate",) if compared else ()
        table = self.table(
            f"{number}. {chapter.title}", "who or what", "decision", "rule or reason", *extra, "checked", ""
        )
        for line in chapter.lines:
            word = line.decision.split(" ")[0]
            table.add_row(
                Text(cut(line.what, _CALL)),
                Text(line.decision, style=STYLES.get(word, "red" if word == "refused" else "")),
                Text(cut(line.why, _WHY)),
                *((line.without,) if compared else ()),
                Text(line.seen if line.held else f"not so: {line.seen}"),
                Text("ok", style="green") if line.held else Text("FAILED", style="bold red"),
            )
        self._output.print()
        self._output.print(table)

    def summary(self, figures: dict[str, Any]) -> None:
        """Print the end."""
        self.heading("Summary")
        pause_ms = figures["pause_to_first_refusal_s"] * 1000
        self.line(f"  {figures['checks_held']} of {figures['checks']} lines held")
        self.line(
            f"  {figures['attacks_that_ran']} of {figures['attacks']} attacks had their effect, "
            f"{figures['attacks_that_ran_without_gate']} without the gate"
        )
        self.line(f"  from the operator's pause to the first refused call: {pause_ms:.0f} ms")
        self.line(f"  {figures['records']} records sealed in {figures['seconds']:.0f} s")
