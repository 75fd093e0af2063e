"""Correctness bars that need a whole authority, scaled down."""

from bench import agentdojo, erase
from bench.harness import Options


def test_one_decision_record_for_each_proposed_call(data_folder):
    """Recorded runs of real models, replayed: each proposed call has exactly one decision record."""
    del data_folder

    result = agentdojo.run(Options(seconds=2))

    assert result.missed == []
    assert result.figures["decision_records"] == result.figures["calls"] > 100


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
