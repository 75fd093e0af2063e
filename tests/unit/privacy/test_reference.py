"""The reference page of the field policy is made from the source, and its example is a policy that holds."""

import re
from pathlib import Path

from sealgate.privacy import FieldPolicy, reference
from sealgate.privacy.scanner import TYPES

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/privacy-policy.md"


def test_page_is_current():
    """The page is what ``python -m sealgate.privacy.reference`` prints now, and names every detector."""
    assert PAGE.read_text() == reference.page()
    assert all(f"| `{name}` |" in reference.page() for name in TYPES)


def test_example_holds():
    """The example of the page is accepted as it stands."""
    example = re.search(r"```toml\n(.*?)```", reference.page(), re.DOTALL)

    assert example is not None
    assert len(FieldPolicy.from_toml(example[1]).rules) == 1
