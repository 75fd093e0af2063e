"""Bar 5, scaled down: tampering is detected, the record is named, honest logs raise no alarm."""

import pytest

from bench import tamper


@pytest.mark.slow
def test_each_kind_of_tampering_is_detected() -> None:
    """Two in a hundred of the plan's attacks: all detected, every flip named."""
    jobs = [(kind, 10_000 + seed) for kind, count in tamper.PLAN.items() for seed in range(max(3, count // 50))]
    counts = tamper.attack_all(jobs)
    missed = {name: count for name, count in counts.items() if name.endswith("_missed")}

    assert missed == {}
    assert counts["named"] >= tamper.MIN_NAMED * counts["to_be_named"] > 0


def test_honest_logs_raise_no_alarm() -> None:
    """Restarts, rotations, recorded gaps and every awkward size are fine."""
    counts = tamper.clean_all(list(range(1000, 1012)))

    assert dict(counts) == {"clean": 12}
