"""Every vector of others is judged as its maker marked it; the counts are printed by ``python -m bench vectors``."""

import pytest

from bench import vectors


@pytest.mark.parametrize("name", vectors.SUITES)
def test_suite(name, data_folder):
    """No vector of the corpus is judged otherwise than marked, and none is silently left out."""
    result = vectors.tally(name, data_folder)

    assert result.disagreed == []
    assert result.agreed + result.not_applicable.total() > 0
