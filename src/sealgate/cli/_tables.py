"""Tables for people."""

from rich.table import Table


def folding(*columns: str) -> Table:
    """Return a table whose cells go on in the next line where the window is narrow: an id that is cut off is no id."""
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
