"""Whole logs and ranges: what is found, what is named, what is excused, and that a run can be resumed."""

import shutil
from pathlib import Path

import orjson
import pytest

from bench.logmaker import Keys, LogMaker, fill, make_log, public, write_file
from sealgate.proofs import bundles, tiles
from sealgate.proofs.trust import StatementKey
from sealgate.verifier.log import LogOptions, verify_log
from sealgate.verifier.report import Report, Verdict


@pytest.fixture(scope="module", name="log")
def _log() -> LogMaker:
    return make_log(1000, keys=Keys("unit", witnesses=2), quorum=1)


@pytest.fixture(name="folder")
def _folder(log: LogMaker, tmp_path: Path) -> Path:
    log.write(tmp_path)
    return tmp_path


def _verify(folder: Path, log: LogMaker, **options: object) -> Report:
    return verify_log(folder, log.trust(), LogOptions(**options))


def _verify_new(folder: Path, log: LogMaker, trust: bytes | None = None, **options: object) -> Report:
    log.write(folder)
    return verify_log(folder, trust or log.trust(), LogOptions(**options))


def _outcome(report: Report, name: str) -> str:
    return next(step.outcome.value for step in report.steps if step.name == name)


def test_a_good_log_is_verified(folder: Path, log: LogMaker) -> None:
    """Every record's signature and body is checked, and the verdict is verified."""
    report = _verify(folder, log)

    assert (report.verdict, report.exit_code) == (Verdict.VERIFIED, 0)
    assert [step.number for step in report.steps] == list(range(1, 11))


def test_without_a_trust_file_it_is_self_consistent_at_best(folder: Path) -> None:
    """Nobody is trusted, so no claim is made."""
    report = verify_log(folder, None, LogOptions())

    assert (report.verdict, report.exit_code) == (Verdict.SELF_CONSISTENT, 12)


def test_without_signatures_it_is_not_proven(folder: Path, log: LogMaker) -> None:
    """Leaving out signatures is fast, and is not a verification."""
    assert _verify(folder, log, signatures=False).verdict is Verdict.NOT_PROVEN


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (255, 257), (300, 700), (999, 1000), (0, None), (1000, 1000)])
def test_a_range_is_verified_against_the_same_root(folder: Path, log: LogMaker, start: int, stop: int | None) -> None:
    """A range is read alone; tiles give the rest of the tree, and the root must come out."""
    report = _verify(folder, log, start=start, stop=stop, prior=log.checkpoint(17, _root(log, 17)))

    assert report.verdict is Verdict.VERIFIED, report.reason


def _root(log: LogMaker, size: int) -> bytes:
    return tiles.hash_range(0, size, log.size, log.read_tile)


def test_a_range_outside_the_log_is_refused(folder: Path, log: LogMaker) -> None:
    """Asking for what is not there is a mistake of the caller."""
    assert _verify(folder, log, start=10, stop=2000).verdict is Verdict.UNREADABLE


def test_an_altered_record_outside_the_range_is_not_looked_at(folder: Path, log: LogMaker) -> None:
    """The range answers for itself: damage to statements elsewhere is found only by who looks there."""
    data = bytearray(log.files["stmt/000"])
    data[40] ^= 1
    write_file(folder, "stmt/000", bytes(data))

    assert _verify(folder, log, start=300, stop=400).verdict is Verdict.VERIFIED
    assert _verify(folder, log).first_bad_index == 0


@pytest.mark.parametrize("path", ["stmt/001", "body/001", "tile/entries/001", "tile/0/001"])
def test_a_flipped_bit_is_named(folder: Path, log: LogMaker, path: str) -> None:
    """One bit in any file of evidence: altered, and the record is named."""
    data = bytearray(log.files[path])
    data[0 if path.startswith("tile/0") else 40] ^= 4
    write_file(folder, path, bytes(data))
    report = _verify(folder, log)

    expected = 257 if path == "tile/entries/001" else 256
    assert (report.verdict, report.first_bad_index) == (Verdict.ALTERED, expected)


def test_a_flipped_bit_in_an_upper_tile_names_what_lies_under_it(folder: Path, log: LogMaker) -> None:
    """An upper tile speaks for 256 records; the first of them is named."""
    data = bytearray(log.files["tile/1/000.p/3"])
    data[2 * 32] ^= 1
    write_file(folder, "tile/1/000.p/3", bytes(data))

    assert _verify(folder, log).first_bad_index == 512


@pytest.mark.parametrize("path", ["tile/entries/002", "tile/0/002", "tile/1/000.p/3", "body/002"])
def test_a_missing_file_is_not_proven(folder: Path, log: LogMaker, path: str) -> None:
    """Nothing is claimed about what is not there, but for statements, which need an excuse."""
    (folder / path).unlink()

    assert _verify(folder, log).verdict is Verdict.NOT_PROVEN


def test_missing_statements_without_excuse_are_a_gap(folder: Path, log: LogMaker) -> None:
    """The first missing statement is named."""
    (folder / "stmt/002").unlink()
    report = _verify(folder, log)

    assert (report.verdict, report.first_bad_index, report.exit_code) == (Verdict.GAP, 512, 14)


def test_missing_statements_with_an_expiry_record_are_excused(tmp_path: Path) -> None:
    """``retention.expired`` of the authority excuses what it names, and nothing beside it."""
    log = LogMaker(Keys("expiry"))
    fill(log, 600)
    log.append("retention.expired", {"layer": "L1", "from_index": 0, "to_index": 256})
    log.publish()
    log.write(tmp_path)
    (tmp_path / "stmt/000").unlink()
    bodies = [None] * 256
    write_file(tmp_path, "body/000", bundles.encode_bodies(bodies))

    assert verify_log(tmp_path, log.trust(), LogOptions()).verdict is Verdict.VERIFIED

    (tmp_path / "stmt/001").unlink()
    assert verify_log(tmp_path, log.trust(), LogOptions()).first_bad_index == 256


@pytest.mark.parametrize("kind", ["decision", "event.logged"])
def test_an_agents_record_excuses_nothing(tmp_path: Path, kind: str) -> None:
    """Only the authority's own records speak of gaps; a record with an agent as subject does not."""
    log = LogMaker(Keys("excuse"))
    fill(log, 5)
    log.seq += 3
    gap = {"gap_epoch": log.epoch.hex(), "seq_from": 5, "seq_to": 7, "reason": "disk full"}
    body = log.body("capture.gap", gap)
    subject = "urn:sealgate:agent:1" if kind == "decision" else "urn:sealgate:authority"
    log.append_sealed(log.seal(body, sub=subject), body)
    log.publish()
    report = _verify_new(tmp_path, log)

    assert report.verdict is (Verdict.GAP if kind == "decision" else Verdict.VERIFIED)


def test_without_bodies_a_gap_says_that_no_excuse_could_be_read(tmp_path: Path) -> None:
    """A gap record excuses a hole where its body is there; without bodies the verdict says why it cannot."""
    log = LogMaker(Keys("unread"))
    fill(log, 5)
    log.seq += 3
    log.append("capture.gap", {"gap_epoch": log.epoch.hex(), "seq_from": 5, "seq_to": 7, "reason": "disk full"})
    log.publish()
    log.write(tmp_path)
    whole = verify_log(tmp_path, log.trust(), LogOptions())
    shutil.rmtree(tmp_path / "body")
    bare = verify_log(tmp_path, log.trust(), LogOptions())

    assert whole.verdict is Verdict.VERIFIED
    assert (bare.verdict, bare.first_bad_index) == (Verdict.GAP, 5)
    assert "what excuses it would be a body, and the directory holds none" in bare.steps[-1].message


def test_a_hole_in_the_sequence_is_a_gap(tmp_path: Path) -> None:
    """A suppressed record shows by its missing number, at the next record of that epoch."""
    log = LogMaker(Keys("hole"))
    fill(log, 10)
    log.seq += 1
    fill(log, 20)
    report = _verify_new(tmp_path, log)

    assert (report.verdict, report.first_bad_index) == (Verdict.GAP, 10)


def test_an_epoch_that_does_not_begin_at_zero_is_a_gap(tmp_path: Path) -> None:
    """The first record after a restart cannot be dropped unseen."""
    log = LogMaker(Keys("boot"))
    fill(log, 10)
    log.reboot(1)
    log.seq = 1
    fill(log, 12)

    assert _verify_new(tmp_path, log).first_bad_index == 10


def test_a_repeated_sequence_number_is_altered(tmp_path: Path) -> None:
    """Two records with one number cannot both be right."""
    log = LogMaker(Keys("repeat"))
    fill(log, 10)
    log.seq -= 1
    fill(log, 11)
    report = _verify_new(tmp_path, log)

    assert (report.verdict, report.first_bad_index) == (Verdict.ALTERED, 10)


# keys -----------------------------------------------------------------------------------------------------------------


def _rotated(*, retire: bool = True, root: str = "rotation", after: int = 3) -> LogMaker:
    log = LogMaker(Keys("rotation"))
    fill(log, 5)
    fresh = log.keys.named("second")
    log.keys.root = Keys(root).named("root")
    log.key_event("key.added", fresh)
    if retire:
        log.sign_with(fresh)
        log.key_event("key.retired", log.keys.statement)
        log.signer = log.keys.statement
        log.sign_with(log.keys.statement if after < 0 else fresh)
    fill(log, log.size + abs(after))
    log.keys.root = Keys("rotation").named("root")
    return log


def test_a_rotation_in_the_log_is_followed(tmp_path: Path) -> None:
    """A key that the root key added is valid from its record on, without being in the trust file."""
    assert _verify_new(tmp_path, _rotated()).verdict is Verdict.VERIFIED


def test_a_retired_key_signs_no_more(tmp_path: Path) -> None:
    """A statement by a retired key is altered evidence, at its index."""
    report = _verify_new(tmp_path, _rotated(after=-3))

    assert (report.verdict, report.first_bad_index) == (Verdict.ALTERED, 7)


def test_a_key_event_needs_the_root_key(tmp_path: Path) -> None:
    """Whoever holds a statement key cannot add another."""
    report = _verify_new(tmp_path, _rotated(root="thief"))

    assert (report.verdict, report.first_bad_index) == (Verdict.ALTERED, 5)


def test_the_trust_file_can_end_a_key_earlier_than_the_log(tmp_path: Path) -> None:
    """What the user was told about a stolen key counts, whatever the log says."""
    log = make_log(10, keys=Keys("stolen"))
    key = public(log.keys.statement)
    report = _verify_new(tmp_path, log, log.trust(statement_keys=(StatementKey(key, 0, 4),)))

    assert (report.verdict, report.first_bad_index) == (Verdict.ALTERED, 4)


# kept checkpoints -----------------------------------------------------------------------------------------------------


def test_a_log_that_went_back_is_a_fork(folder: Path, log: LogMaker) -> None:
    """A kept checkpoint that is larger than the log's is a rollback."""
    report = _verify(folder, log, prior=log.checkpoint(1001, bytes(32)))

    assert (report.verdict, report.exit_code) == (Verdict.FORK, 13)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700, 1000])
def test_a_kept_checkpoint_must_be_the_beginning(folder: Path, log: LogMaker, size: int) -> None:
    """The true root of a smaller size is accepted, any other is a fork."""
    assert _verify(folder, log, prior=log.checkpoint(size, _root(log, size))).verdict is Verdict.VERIFIED
    assert _verify(folder, log, prior=log.checkpoint(size, bytes(32))).verdict is Verdict.FORK


def test_a_kept_checkpoint_that_is_not_the_logs_is_unusable(folder: Path, log: LogMaker) -> None:
    """Exit 2: the user has to name another."""
    assert _verify(folder, log, prior=make_log(5).files["checkpoint"]).verdict is Verdict.UNREADABLE


def test_an_empty_log_is_verified(tmp_path: Path) -> None:
    """A log with nothing in it has nothing wrong with it."""
    assert _verify_new(tmp_path, make_log(0)).verdict is Verdict.VERIFIED


def test_freshness_is_judged_by_cosignatures(folder: Path, log: LogMaker) -> None:
    """An old newest cosignature leaves the verdict not proven when a limit is asked for."""
    assert _verify(folder, log, max_age=60, now=2_000_000_000).verdict is Verdict.NOT_PROVEN
    assert _verify(folder, log, max_age=2_000_000_000, now=2_000_000_000).verdict is Verdict.VERIFIED


def test_a_log_that_grew_meanwhile_is_read_at_its_checkpoint(folder: Path, log: LogMaker) -> None:
    """Partial files may have become full ones; the checkpoint's size decides how much of them counts."""
    grown = make_log(1024, keys=log.keys, quorum=1)
    for path, data in grown.files.items():
        if path != "checkpoint":
            write_file(folder, path, data)
    for path in log.files:
        if ".p/" in path and not path.startswith("tile/1"):
            (folder / path).unlink()

    assert _verify(folder, log).verdict is Verdict.VERIFIED


# resuming -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="long")
def _long() -> LogMaker:
    return make_log(64 * 256 + 300, keys=Keys("long"), with_bodies=False)


def _stop_at(records: int) -> object:
    def show(done: int, _total: int) -> None:
        if done >= records:
            raise KeyboardInterrupt

    return show


@pytest.mark.slow
def test_an_interrupted_run_goes_on_and_ends_alike(long: LogMaker, tmp_path: Path) -> None:
    """After an interruption the state file saves the work done; the verdict is that of a full run."""
    long.write(tmp_path / "log")
    state = tmp_path / "state"
    options = LogOptions(state=state, prior=long.checkpoint(300, _root(long, 300)))
    with pytest.raises(KeyboardInterrupt):
        verify_log(tmp_path / "log", long.trust(), options, _stop_at(64 * 256 + 256))
    report = verify_log(tmp_path / "log", long.trust(), options)

    assert report.verdict is Verdict.VERIFIED, report.reason
    assert report.facts["resumed_from"] == 64 * 256


@pytest.mark.slow
def test_a_state_that_was_changed_cannot_make_a_verdict(long: LogMaker, tmp_path: Path) -> None:
    """Changed subtrees do not lead to the root; a foreign or broken state is put aside."""
    long.write(tmp_path / "log")
    state = tmp_path / "state"
    options = LogOptions(state=state)
    verify_log(tmp_path / "log", long.trust(), options)
    saved = orjson.loads(state.read_bytes())
    state.write_bytes(orjson.dumps(saved | {"subtrees": ["00" * 32]}))
    changed = verify_log(tmp_path / "log", long.trust(), options)
    state.write_bytes(orjson.dumps(saved | {"bound_to": "00" * 32, "subtrees": ["00" * 32]}))
    foreign = verify_log(tmp_path / "log", long.trust(), options)
    state.write_bytes(b"{")
    broken = verify_log(tmp_path / "log", long.trust(), options)

    assert changed.verdict is Verdict.ALTERED
    assert (foreign.verdict, broken.verdict) == (Verdict.VERIFIED, Verdict.VERIFIED)
    assert "resumed_from" not in foreign.facts


def test_the_witness_quorum_counts(folder: Path, log: LogMaker) -> None:
    """A checkpoint with fewer cosignatures than the trust file asks for is not proven."""
    write_file(folder, "checkpoint", log.checkpoint(cosigners=0))
    report = _verify(folder, log)

    assert (report.verdict, _outcome(report, "checkpoint")) == (Verdict.NOT_PROVEN, "unproven")


@pytest.mark.parametrize(
    ("size", "stop", "verdict"), [(700, 700, "verified"), (700, 701, "not_proven"), (1000, None, "verified")]
)
def test_witnesses_may_lag_behind_the_log(
    folder: Path, log: LogMaker, size: int, stop: int | None, verdict: str
) -> None:
    """What the witnesses saw is verified; what came later is not proven until they follow."""
    write_file(folder, "checkpoint", log.checkpoint(cosigners=0))
    write_file(folder, "checkpoint.witnessed", log.checkpoint(size, _root(log, size)))

    assert _verify(folder, log, stop=stop).verdict.value == verdict


def test_witnesses_who_saw_another_log_prove_a_fork(folder: Path, log: LogMaker) -> None:
    """A cosigned checkpoint that is not the beginning of the log contradicts it."""
    write_file(folder, "checkpoint", log.checkpoint(cosigners=0))
    write_file(folder, "checkpoint.witnessed", log.checkpoint(700, bytes(32)))

    assert _verify(folder, log, stop=600).verdict is Verdict.FORK
