"""Correctness bars that need a whole authority, scaled down."""

from bench import agentdojo, otel
from bench.harness import Options


def test_one_decision_record_for_each_proposed_call(data_folder):
    """Recorded runs of real models, replayed: each proposed call has exactly one decision record."""
    del data_folder

    result = agentdojo.run(Options(seconds=2))

    assert result.missed == []
    assert result.figures["decision_records"] == result.figures["calls"] > 100


def test_tool_calls_of_every_framework_are_recovered(data_folder):
    """Each tool call in the recorded telemetry of other frameworks becomes an item with name and arguments."""
    del data_folder

    result = otel.run(Options())

    assert result.missed == []
    assert result.figures["as_langfuse_sends_calls"] > 20
    assert result.figures["as_langfuse_sends_invented"] == result.figures["as_the_framework_sent_invented"] == []
