"""Shows a demo: tables on a terminal, the same in plain ASCII elsewhere. What all demos show is here."""

import io
import sys
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sealgate.demo.evidence import Check, Proof

_PLAIN_WIDTH: Final = 120
STYLES: Final = {"PERMIT": "green", "DENY": "red", "SILENCE": "yellow"}


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

    def table(self, title: str, *columns: str) -> Table:
        """Return an empty table; a column whose name starts with ``#`` holds numbers."""
        table = Table(
            title=title, box=self._box, title_justify="left", title_style="bold" if self._output.is_terminal else ""
        )
        for column in columns:
            table.add_column(column, justify="right" if column.startswith("#") else "left", overflow="fold")
        return table

    def check(self, check: Check) -> None:
        """Show one run of the verifier with everything it printed."""
        self.line(f"$ {check.command}")
        for line in check.output.splitlines():
            self.line(f"  {line}")
        self.line(f"  (exit status {check.exit_code})")

    def proof(self, proof: Proof, what: str) -> None:
        """Show what the separate verifier says: of a receipt, of the whole log, of the log with one byte flipped."""
        self.heading(f"Record {proof.index}, {what}: its receipt, verified by a separate program")
        self.line(f"  under a signed checkpoint {proof.waited_s:.1f} s after it was asked for")
        self.check(proof.receipt)
        self.heading("The whole log, exported and verified by the same program")
        self.check(proof.log)
        flip = proof.flip
        self.heading("One byte of the exported log is flipped")
        self.line(
            f"  {flip.file}, offset {flip.offset}: 0x{flip.before:02x} -> 0x{flip.after:02x}, "
            f"inside the statement of record {proof.index}"
        )
        self.check(proof.flipped)


def cut(text: str, length: int) -> str:
    """Return a text that is at most so long."""
    return text if len(text) <= length else text[: length - 3] + "..."
