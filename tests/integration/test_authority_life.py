"""The authority over restarts, crashes and failures of journal and clock."""

import asyncio
import errno
import hashlib
import os
import time

import pytest

from sealgate.adapters.journals import writer
from sealgate.adapters.journals.kernel_sync import KernelSync
from sealgate.authority.gate import Times
from sealgate.encoding import canonical
from sealgate.model.errors import AlteredError, JournalError, NotPermittedError, UnavailableError
from sealgate.model.evaluation import OutcomeRequest, RedeemRequest

from .conftest import CALLER, LIMITS, POLICIES, bundle, question

ARGUMENTS = hashlib.sha256(canonical.encode_arguments({"to": "bob", "amount": 5})).hexdigest()


async def crash(authority, kit):
    """Stop everything without a word: no snapshot, no last step."""
    authority._housekeeping.cancel()
    authority._parts.publisher.stop()
    kit.journal.close()
    authority._parts.close()


async def end(authority, kit, *, gracefully):
    """End one life of the authority."""
    await (authority.stop() if gracefully else crash(authority, kit))


@pytest.mark.parametrize("gracefully", [True, False])
def test_redeemed_stays_redeemed_over_a_restart(kit, gracefully):
    """A permit used before the restart is refused after it; an unused one still works, once."""

    async def scenario():
        authority = await kit.started()
        used = await authority.evaluate(question(), CALLER, None)
        unused = await authority.evaluate(question(), CALLER, None)
        await authority.redeem(RedeemRequest(used.context.permit.token, "pay", ARGUMENTS), CALLER)
        await end(authority, kit, gracefully=gracefully)

        authority = await kit.started()
        with pytest.raises(NotPermittedError, match="already redeemed"):
            await authority.redeem(RedeemRequest(used.context.permit.token, "pay", ARGUMENTS), CALLER)
        await authority.redeem(RedeemRequest(unused.context.permit.token, "pay", ARGUMENTS), CALLER)
        await authority.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize("gracefully", [True, False])
def test_memory_over_a_restart(kit, gracefully):
    """Request ids, pauses, quotas, the policy set and open outcomes are as before."""

    async def scenario():
        authority = await kit.started(limits=LIMITS)
        first = await authority.evaluate(question(redeem=True), CALLER, "r1")
        for _ in range(2):
            await authority.evaluate(question(), CALLER, None)
        await authority.pause("a2", "why", CALLER)
        version = authority.current_policy()["policy_version"]
        await end(authority, kit, gracefully=gracefully)

        authority = await kit.started(policies=None)
        assert authority.current_policy()["policy_version"] == version
        assert await authority.evaluate(question(redeem=True), CALLER, "r1") == first
        over = await authority.evaluate(question(), CALLER, None)
        paused = await authority.evaluate(question(agent="a2"), CALLER, None)
        report = OutcomeRequest(decision_id=first.context.record_id, status="succeeded", duration_ms=1)
        await authority.report_outcome(report, CALLER)
        await authority.stop()
        return over.context, paused.context

    over, paused = asyncio.run(scenario())

    assert over.reason == "quota_exceeded"
    assert paused.reason == "agent_paused"


def test_a_crash_soon_after_the_first_policy_set(kit):
    """A snapshot from before the first policy set does not keep the authority from starting after a crash."""

    async def scenario():
        authority = await kit.started(policies=None)
        await authority._snapshots.finish()
        await authority.publish_policy(bundle(limits=LIMITS), CALLER)
        for _ in range(3):
            await authority.evaluate(question(), CALLER, None)
        await crash(authority, kit)

        authority = await kit.started(policies=None)
        over = await authority.evaluate(question(), CALLER, None)
        await authority.stop()
        return over.context.reason

    assert asyncio.run(scenario()) == "quota_exceeded"


def test_ids_grow_and_records_are_found_over_restarts(kit):
    """Record ids keep growing, and each record is found by its id."""

    async def scenario():
        for _ in range(3):
            authority = await kit.started()
            for _ in range(5):
                await authority.evaluate(question(), CALLER, None)
            await authority.stop()
        authority = await kit.started()
        bodies = kit.bodies()
        found = [kit.reader.find(body["record_id"]).index for body in bodies]
        missing = kit.reader.find("01890a5d-ac96-774b-bcce-b302099a8057")
        await authority.stop()
        return bodies, found, missing

    bodies, found, missing = asyncio.run(scenario())

    assert [body["record_id"] for body in bodies] == sorted({body["record_id"] for body in bodies})
    assert found == list(range(len(bodies)))
    assert missing is None


def test_a_changed_policy_file_is_not_loaded(kit):
    """The stored policy set is checked against the recorded digest; a changed one stops the start."""

    async def scenario():
        authority = await kit.started()
        await authority.stop()
        (path,) = (kit.folder / "policies").iterdir()
        path.write_bytes(path.read_bytes().replace(b"<= 100", b"<= 999"))
        authority = kit.build()
        with pytest.raises(AlteredError, match="changed on disk"):
            await authority.start()
        await authority.stop()

    asyncio.run(scenario())


class FailingDisk:
    """Makes the journal's syncs fail or dawdle, as a full, broken or slow disk does; nobody else's.

    Broken, it has no room for a new segment either, unless told otherwise: else the journal heals, for a moment,
    whenever that is tried, until the next sync.
    """

    def __init__(self, monkeypatch, *, room=False):
        self.broken = False
        self.slow_s = 0.0
        monkeypatch.setattr(writer, "os", self)
        create = writer.create_synced

        def create_unless_full(path, data):
            """Make a file, unless told otherwise."""
            if self.broken and not room:
                raise OSError(errno.ENOSPC, "No space left on device")
            create(path, data)

        monkeypatch.setattr(writer, "create_synced", create_unless_full)
        begin = KernelSync.begin

        def begin_by_us(sync, descriptor, done):
            """Let the kernel sync, and end it as told."""

            def end(error):
                time.sleep(self.slow_s)
                done(OSError(errno.ENOSPC, "No space left on device") if self.broken else error)

            begin(sync, descriptor, end)

        monkeypatch.setattr(KernelSync, "begin", begin_by_us)

    def __getattr__(self, name):
        return getattr(os, name)

    def fdatasync(self, descriptor):
        """Sync, unless told otherwise."""
        time.sleep(self.slow_s)
        if self.broken:
            raise OSError(errno.ENOSPC, "No space left on device")
        os.fdatasync(descriptor)


def test_a_full_disk_is_silence_then_a_gap_record(kit, monkeypatch):
    """While the disk refuses: SILENCE without receipt; when it heals, a gap record says what was missed."""
    disk = FailingDisk(monkeypatch)

    async def scenario():
        authority = await kit.started()
        good = await authority.evaluate(question(), CALLER, None)
        disk.broken = True
        bad = [await authority.evaluate(question(), CALLER, None) for _ in range(4)]
        readiness = authority.readiness()
        disk.broken = False
        await kit.until(lambda: any(body["kind"] == "capture.gap" for body in kit.bodies()))
        after = await authority.evaluate(question(), CALLER, None)
        bodies = kit.bodies()
        ready_again = authority.readiness()["ready"]
        await authority.stop()
        return good, bad, readiness, after, bodies, ready_again

    good, bad, readiness, after, bodies, ready_again = asyncio.run(scenario())

    assert good.decision
    assert after.decision
    assert {(answer.context.outcome, answer.context.reason) for answer in bad} == {("SILENCE", "not_recorded")}
    assert all(answer.context.receipt is None and answer.context.permit is None for answer in bad)
    assert not readiness["ready"]
    assert "space" in readiness["checks"]["journal"]
    assert ready_again
    (gap,) = [body for body in bodies if body["kind"] == "capture.gap"]
    seqs = {body["producer"]["seq"] for body in bodies}
    missing = set(range(max(seqs) + 1)) - seqs
    assert missing <= set(range(gap["seq_from"], gap["seq_to"] + 1))
    assert missing
    assert gap["missed"] == 4


def test_a_lost_gap_record_is_no_missed_request(kit, monkeypatch):
    """A disk that takes new files and syncs nothing loses gap records, too: their numbers are told, nothing else."""
    disk = FailingDisk(monkeypatch, room=True)

    async def scenario():
        authority = await kit.started()
        disk.broken = True
        await authority.evaluate(question(), CALLER, None)
        used = authority._parts.recorder._sealing.seq
        await kit.until(lambda: authority._parts.recorder._sealing.seq >= used + 3)
        disk.broken = False
        await kit.until(lambda: any(body["kind"] == "capture.gap" for body in kit.bodies()))
        bodies = kit.bodies()
        await authority.stop()
        return bodies

    bodies = asyncio.run(scenario())

    (gap,) = [body for body in bodies if body["kind"] == "capture.gap"]
    seqs = {body["producer"]["seq"] for body in bodies}
    missing = set(range(max(seqs) + 1)) - seqs
    assert missing <= set(range(gap["seq_from"], gap["seq_to"] + 1))
    assert len(missing) >= 3  # of the decision, and of two gap records at least
    assert gap["missed"] == 1


def test_a_publication_that_is_lost_changes_nothing(kit, monkeypatch):
    """If the record of a publication cannot be made, the former policy set stays in force, also over a restart."""
    disk = FailingDisk(monkeypatch)

    async def scenario():
        authority = await kit.started()
        before = authority.current_policy()
        disk.broken = True
        with pytest.raises(JournalError):
            await authority.publish_policy(bundle(POLICIES.replace("<= 100", "<= 1")), CALLER)
        disk.broken = False
        await kit.until(lambda: authority.readiness()["ready"])
        after = authority.current_policy()
        answer = await authority.evaluate(question(), CALLER, None)
        await authority.stop()
        authority = await kit.started(policies=None)
        restarted = authority.current_policy()
        await authority.stop()
        return before, after, restarted, answer

    before, after, restarted, answer = asyncio.run(scenario())

    assert before == after == restarted
    assert answer.decision


def test_a_clock_that_goes_back_is_silence(kit):
    """A large step back refuses; when the clock has caught up, decisions go on and the gap is recorded."""

    async def scenario():
        authority = await kit.started()
        good = await authority.evaluate(question(), CALLER, None)
        kit.clock.shift_ms = -60_000
        bad = await authority.evaluate(question(), CALLER, None)
        kit.clock.shift_ms = 0
        after = await authority.evaluate(question(), CALLER, None)
        await kit.until(lambda: any(body["kind"] == "capture.gap" for body in kit.bodies()))
        gap = kit.bodies()[-1]
        await authority.stop()
        return good, bad, after, gap

    good, bad, after, gap = asyncio.run(scenario())

    assert good.decision
    assert after.decision
    assert (bad.context.reason, bad.context.receipt) == ("clock", None)
    assert (gap["missed"], gap["seq_from"]) == (1, None)


def test_a_gap_record_that_has_no_time_yet_is_no_missed_request(kit, monkeypatch):
    """While the clock is wrong the gap record is tried again and again: what was missed stays what it was."""

    async def scenario():
        authority = await kit.started()
        recorder = authority._parts.recorder
        tried, heal = [], recorder.heal
        monkeypatch.setattr(recorder, "heal", lambda: (tried.append(recorder.missed.count), heal())[1])
        kit.clock.shift_ms = -60_000
        await authority.evaluate(question(), CALLER, None)
        await kit.until(lambda: len(tried) >= 3)
        kit.clock.shift_ms = 0
        await kit.until(lambda: any(body["kind"] == "capture.gap" for body in kit.bodies()))
        (gap,) = [body for body in kit.bodies() if body["kind"] == "capture.gap"]
        await authority.stop()
        return tried, gap

    tried, gap = asyncio.run(scenario())

    assert set(tried) == {gap["missed"]} == {1}


def test_a_clock_that_went_back_before_a_start_is_silence(kit):
    """With the snapshot of a clean stop, and without one; no record is ever older than the one before it."""

    async def life(shift_ms):
        kit.clock.shift_ms = shift_ms
        authority = await kit.started()
        answer = await authority.evaluate(question(), CALLER, None)
        ready = authority.readiness()["checks"]["clock"]
        times = [body["time"] for body in kit.bodies()]
        assert times == sorted(times)
        await authority.stop()
        return answer.context.reason, "went back" in ready

    answers = []
    for shift_ms in (0, 0, -60_000, 0):
        answers.append(asyncio.run(life(shift_ms)))
        if shift_ms:
            (kit.folder / "snapshot").unlink()
            answers.append(asyncio.run(life(shift_ms)))

    assert answers == [("policy", False), ("policy", False), ("clock", True), ("clock", True), ("policy", False)]


def test_a_clock_that_is_wrong_for_long_is_told_now_and_then(kit, caplog):
    """Once at first, not with every sweep; and again when it was right meanwhile and goes wrong again."""

    def told(beginning):
        """Count the lines that begin so."""
        return len([entry for entry in caplog.records if entry.getMessage().startswith(beginning)])

    async def scenario():
        authority = await kit.started()
        for turn in (1, 2):
            kit.clock.shift_ms = -60_000
            assert (await authority.evaluate(question(), CALLER, None)).context.reason == "clock"
            await kit.until(lambda turn=turn: told("housekeeping:") >= turn and told("decisions are SILENCE") >= 1)
            await asyncio.sleep(1.5)  # some sweeps more
            kit.clock.shift_ms = 0
            assert (await authority.evaluate(question(), CALLER, None)).decision
            await kit.until(lambda turn=turn: told("recording again") >= turn)  # a sweep has seen the right time
            await asyncio.sleep(0.5)  # and is over
        await authority.stop()

    asyncio.run(scenario())

    assert told("housekeeping: the clock went back") == told("housekeeping:") == 2
    assert 1 <= told("decisions are SILENCE: the clock went back") <= 2


def test_a_pause_that_cannot_be_recorded_is_in_force_and_says_so(kit):
    """Stopping an agent waits for no clock; who stopped it learns that no record says so yet."""

    async def scenario():
        authority = await kit.started()
        kit.clock.shift_ms = -60_000
        with pytest.raises(UnavailableError, match="`a1` is paused, but that is not recorded: the clock") as told:
            await authority.pause("a1", "hijacked", CALLER)
        kit.clock.shift_ms = 0
        answer = await authority.evaluate(question(), CALLER, None)
        await authority.pause("a1", "hijacked", CALLER)
        kinds = [body["kind"] for body in kit.bodies()]
        await authority.stop()
        return told.value.hint, answer.context.reason, kinds.count("containment.applied")

    hint, reason, recorded = asyncio.run(scenario())

    assert "pause it again" in hint
    assert (reason, recorded) == ("agent_paused", 1)


def test_a_slow_disk_meets_the_deadline_with_silence(kit, monkeypatch):
    """A record that becomes durable too late is answered SILENCE; its permit was never given and expires."""
    disk = FailingDisk(monkeypatch)

    async def scenario():
        authority = await kit.started(times=Times(deadline_ms=1500))  # by far enough to judge it on any machine
        disk.slow_s = 3.0
        answer = await authority.evaluate(question(), CALLER, None)
        disk.slow_s = 0.0
        await kit.until(lambda: kit.journal.size >= 3)
        body = kit.bodies()[2]
        await authority.stop()
        return answer, body

    answer, body = asyncio.run(scenario())

    assert (answer.context.reason, answer.context.permit) == ("deadline", None)
    assert body["decision"]["outcome"] == "PERMIT"


def test_a_damaged_snapshot_changes_nothing(kit):
    """With the snapshot damaged or gone, everything is rebuilt from the journal."""

    async def scenario(damage):
        authority = await kit.started(limits=LIMITS)
        for _ in range(2):
            await authority.evaluate(question(), CALLER, None)
        await authority.stop()
        damage(kit.folder / "snapshot")
        authority = await kit.started(policies=None)
        answers = [await authority.evaluate(question(), CALLER, None) for _ in range(2)]
        await authority.stop()
        return [answer.context.outcome for answer in answers]

    assert asyncio.run(scenario(lambda path: path.write_bytes(b"\x01" * 100))) == ["PERMIT", "DENY"]
