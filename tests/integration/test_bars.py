"""Correctness bars that need a whole authority, scaled down."""

from bench import agentdojo, loss
from bench.harness import Options


def test_one_decision_record_for_each_proposed_call(data_folder):
    """Recorded runs of real models, replayed: each proposed call has exactly one decision record."""
    del data_folder

    result = agentdojo.run(Options(seconds=2))

    assert result.missed == []
    assert result.figures["decision_records"] == result.figures["calls"] > 100


def test_nothing_acknowledged_is_lost_or_counted_twice():
    """Agents, collector and authority are killed, disks fill, the server goes away: each acknowledged item once."""
    result = loss.run(Options(seconds=4))

    assert result.missed == []
