"""The page of the table is made from the table."""

from pathlib import Path

from sealgate.telemetry import reference
from sealgate.telemetry.conventions import CONVENTIONS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "telemetry.md"


def test_the_page_is_what_the_table_says():
    """`python -m sealgate.telemetry.reference > docs/reference/telemetry.md` changes nothing."""
    assert PAGE.read_text("utf-8") == reference.page()


def test_each_convention_and_attribute_is_on_the_page():
    """Nothing that is recognised is left out."""
    page = reference.page()
    for convention in CONVENTIONS:
        assert f"### `{convention.name}`" in page
        for facts in (convention.every, *convention.facts.values()):
            assert all(f"`{name}`" in page for names in facts.values() for name in names)
