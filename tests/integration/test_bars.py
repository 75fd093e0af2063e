"""Correctness bars that need a whole authority, scaled down."""

from bench import agentdojo, loss, otel, pii, redact, secrets
from bench.harness import Options
from sealgate.privacy import Scanner


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


def test_nothing_acknowledged_is_lost_or_counted_twice():
    """Agents, collector and authority are killed, disks fill, the server goes away: each acknowledged item once."""
    result = loss.run(Options(seconds=4))

    assert result.missed == []


def test_detectors_reach_their_bars(data_folder):
    """Labelled documents and vectors, and the known people of the recorded runs: recall, precision, nothing left."""
    documents, scanner = pii.documents(data_folder), Scanner()

    for name, score in pii.score_documents(documents, scanner).items():
        recall, precision = redact.PHONE_BARS if name == "phone" else (redact.STRICT_BAR, redact.STRICT_BAR)
        assert score.recall() >= recall, score.missed
        assert score.precision() >= precision, score.wrong
    right, total, wrong, _ = pii.score_vectors(pii.vectors(data_folder))
    assert sum(right.values()) >= redact.VECTORS_BAR * sum(total.values()), wrong
    left, before, _ = redact.left_over(data_folder, redact.tau_messages(data_folder)[:600])
    assert left == 0 < before


def test_secrets_reach_their_bars(data_folder):
    """Vectors of two secret scanners, and encoded copies."""
    del data_folder

    assert secrets.run(Options()).missed == []
