"""Correctness bars that need a whole authority, scaled down."""

from bench import agentdojo
from bench.harness import Options


def test_one_decision_record_for_each_proposed_call(data_folder):
    """Recorded runs of real models, replayed: each proposed call has exactly one decision record."""
    del data_folder

    result = agentdojo.run(Options(seconds=2))

    assert result.missed == []
    assert result.figures["decision_records"] == result.figures["calls"] > 100
