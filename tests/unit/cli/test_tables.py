"""Tables in narrow windows."""

from io import StringIO

from rich.console import Console

from sealgate.cli._tables import folding

ID = "01a22901-4e36-7d08-839b-1403e9c27f54"


def _cells(width):
    table = folding("record", "what")
    table.add_row(ID, "a decision about something that needs many words to say")
    out = StringIO()
    Console(file=out, width=width).print(table)
    first = [line.split("│")[1].strip() for line in out.getvalue().splitlines() if "│" in line]
    return first, out.getvalue()


def test_an_id_is_whole_however_narrow_the_window_is():
    """It goes on in the next line; in a wide window it stands in one."""
    wide, _ = _cells(200)
    narrow, drawn = _cells(40)

    assert wide == [ID]
    assert len(narrow) > 1
    assert "".join(narrow) == ID
    assert "…" not in drawn
