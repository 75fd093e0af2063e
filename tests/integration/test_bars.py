"""Correctness bars that need a whole authority, scaled down."""

import asyncio

import pytest

from bench import (
    agentdojo,
    at_rest,
    erase,
    ingest,
    ingest_world,
    items,
    loss,
    otel,
    permits,
    pii,
    reconstruct,
    redact,
    retention,
    secrets,
    suggest,
)
from bench.dojo_runs import read
from bench.harness import Options
from sealgate.privacy import Scanner

pytestmark = pytest.mark.timeout(400)  # whole worlds are run, on a machine that may be busy


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


def test_an_erased_subject_is_in_no_byte_and_breaks_nothing():
    """One of 40 is erased: the log, earlier receipts and all others verify; neither value nor key is on disk."""
    result = erase.run_sized(records=800, subjects=40, batch=5)

    assert result.missed == []
    assert result.figures["journal_records_erased"] == 4
    assert result.figures["records_of_others_opened"] == 780


def test_the_search_of_the_erasure_bar_finds_every_writing(tmp_path):
    """Positive control: the value in any of its writings, planted anywhere in a file, is found."""
    value = "Zoë Ångström \N{EN DASH} 0007"
    for name, pattern in erase._writings(value).items():
        (tmp_path / "planted").write_bytes(b"x" * 5000 + pattern + b"y")

        assert any(hit.endswith(name) for hit in erase._hits(tmp_path, erase._writings(value))), name
    (tmp_path / "planted").write_bytes(b"x" * 5000)
    assert erase._hits(tmp_path, erase._writings(value)) == []


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


def test_exactly_what_is_due_goes_in_fourteen_days(tmp_path):
    """Three classes, a hold, a clock set by the hour: as the oracle says each day; every deletion is a record."""
    (tmp_path / "right").mkdir()
    figures, missed = asyncio.run(retention.live(tmp_path / "right", 3))

    assert missed == []
    assert min(figures["bodies"], figures["statements"], figures["keys"], figures["held_most"]) > 10


def test_the_oracle_of_retention_sees_what_is_not_as_it_should(tmp_path, monkeypatch):
    """Positive control: an oracle that was told another time disagrees."""
    monkeypatch.setitem(retention._BODY_DAYS, "brief", 3)
    _, missed = asyncio.run(retention.live(tmp_path, 2))

    assert missed


def test_a_record_at_rest_takes_no_more_than_it_may(data_folder):
    """Recorded runs, archived: journal, proofs and statements leave room for the evidence store below 500 bytes."""
    runs = list(read(data_folder / "agentdojo" / "runs_dev.jsonl.xz", 60))
    figures = asyncio.run(at_rest.measure(runs, enforced=True, captured=True))

    assert figures["bytes_all"] + at_rest.EVIDENCE_BYTES <= at_rest.BAR_BYTES
    assert figures["bytes_as_written"] > 2 * figures["bytes_all"]


def test_nothing_that_was_acknowledged_is_missing(data_folder, tmp_path_factory):
    """Native batches and real spans through workers, sockets and the journal: what was accepted was recorded."""
    del data_folder
    figures, missed = {}, []

    with ingest_world.World(tmp_path_factory.mktemp("i") / "a", evidence=False) as world:
        sent = world.send_native(items.batches(3, 100, 1_795_000_000_000))["accepted"]
        recorded = ingest._otlp(world, ingest._spans(0.1)[:2], figures, missed)
        ingest._nothing_lost(world, sent + recorded, figures, missed)

    assert (sent, figures["lost_records"]) == (300, 0)
    assert [line for line in missed if "bar" not in line] == []


def test_lag_is_from_the_acknowledgement_to_the_first_look_that_has_it():
    """The worst record counts; one that was never seen is no lag at all."""
    seen = [(1.0, 0), (2.0, 5), (3.5, 9)]

    assert ingest.lag([(0.5, 4), (2.5, 8)], seen) == 1.5
    assert ingest.lag([(0.5, 9)], seen) is None


def test_a_task_is_found_among_many_rows(data_folder):
    """Recorded runs in the store: the figures exist and what does not depend on a quiet machine holds."""
    del data_folder

    result = reconstruct.run(Options(seconds=1))

    assert result.figures["bytes_all"] <= 500
    assert result.figures["rows"] >= 20_000


def test_each_permit_and_each_approval_is_used_once():
    """Redemptions, grants and retries at once, kills in the middle, expiry: each exactly once."""
    result = permits.run_sized(permits=60, approvals=12)

    assert result.missed == []
    assert result.figures["approvals_granted_once"] == 12
    assert result.figures["permits_redeemed_once"] == 60


def test_suggested_policies_reach_their_bars(data_folder, monkeypatch):
    """Bar 4 of the runtimes, on a few recorded runs of each suite."""
    assert data_folder
    monkeypatch.setattr(suggest, "_SAMPLE_EVERY", 150)

    result = suggest.run(Options())

    assert result.missed == []
    assert result.figures["attacks_stopped_held_out"] is not None
