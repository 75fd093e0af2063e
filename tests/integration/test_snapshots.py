"""Snapshots of the authority's memory: taken at one moment, written while decisions go on."""

import asyncio
import dataclasses
import hashlib
import threading

import msgspec
import pytest

from sealgate.authority import replay
from sealgate.authority.approval import Approval, Vote
from sealgate.authority.permits import OpenDecisions
from sealgate.authority.state import Memory
from sealgate.encoding import canonical, sealed_body
from sealgate.model.approvals import Needed
from sealgate.model.errors import NotPermittedError, UnavailableError
from sealgate.model.evaluation import OutcomeRequest, RedeemRequest
from sealgate.model.lifecycle import State

from .conftest import CALLER, LIMITS, question
from .test_authority_life import crash

ARGUMENTS = hashlib.sha256(canonical.encode_arguments({"to": "bob", "amount": 5})).hexdigest()


def redemption(answer):
    """The request that uses a decision's permit."""
    return RedeemRequest(answer.context.permit.token, "pay", ARGUMENTS)


def captured(authority):
    """What a snapshot would be made of now."""
    parts = authority._parts
    return replay.capture(parts.memory, authority._administration.rulebook.dump_limits())


def read(encoded):
    """An encoded snapshot as it is read at a start."""
    return msgspec.json.decode(encoded, type=replay.Snapshot)


class Gated:
    """An authority's files whose snapshots are stored when they are let through."""

    def __init__(self, files):
        self._files = files
        self.stored = []
        self.gate = threading.Event()

    def __getattr__(self, name):
        return getattr(self._files, name)

    def store_snapshot(self, sealed):
        """Wait at the gate, then store."""
        assert self.gate.wait(60)
        self.stored.append(sealed)
        self._files.store_snapshot(sealed)


def gated(authority):
    """Put a gate before the storing of snapshots, and have housekeeping take none."""
    authority._housekeeping.cancel()
    files = Gated(authority._parts.storage)
    authority._snapshots._parts = dataclasses.replace(authority._parts, storage=files)
    return files


def test_what_happens_while_one_is_written_is_replayed_once(kit):
    """Decisions, redemptions and outcomes after the moment of the snapshot count once after a crash, not twice."""

    async def scenario():
        authority = await kit.started(limits=LIMITS)
        used, reported = [await authority.evaluate(question(), CALLER, None) for _ in range(2)]
        files = gated(authority)
        assert authority._snapshots.begin()
        assert not authority._snapshots.begin()  # one at a time
        await authority.redeem(redemption(used), CALLER)
        await authority.redeem(redemption(reported), CALLER)
        report = OutcomeRequest(decision_id=reported.context.record_id, status="succeeded", duration_ms=1)
        await authority.report_outcome(report, CALLER)
        late = await authority.evaluate(question(), CALLER, None)
        files.gate.set()
        await authority._snapshots._settled()
        assert len(files.stored) == 1
        await crash(authority, kit)

        authority = await kit.started(policies=None)
        assert authority._parts.memory.cursor > read_cursor(
            authority, files.stored[0]
        )  # the snapshot served, and was behind
        with pytest.raises(NotPermittedError, match="already redeemed"):
            await authority.redeem(redemption(used), CALLER)
        with pytest.raises(NotPermittedError, match="waits for no outcome"):
            await authority.report_outcome(report, CALLER)
        await authority.redeem(redemption(late), CALLER)
        over = await authority.evaluate(question(), CALLER, None)
        await authority.stop()
        return over.context.reason

    assert asyncio.run(scenario()) == "quota_exceeded"  # three were made of the three that the limit allows


def read_cursor(authority, sealed):
    """Return up to where a sealed snapshot goes."""
    parts = authority._parts
    memory = Memory(decisions=OpenDecisions(late_window_ms=0), remembered=parts.memory.remembered)
    key = parts.data_keys.find(sealed_body.key_id_of(sealed))
    assert replay.load(memory, sealed, key.cipher, parts.recorder.place.origin, parts.journal.size) is not None
    return memory.cursor


def test_a_captured_memory_does_not_change(kit):
    """Written late it is what it was; the memory itself has moved on (control)."""

    async def scenario():
        authority = await kit.started(limits=LIMITS)
        answers = [await authority.evaluate(question(), CALLER, None) for _ in range(2)]
        before = captured(authority)
        at_once = replay.encode(before, lambda: None)
        await authority.redeem(redemption(answers[0]), CALLER)
        await authority.pause("a2", "why", CALLER)
        await authority.evaluate(question(), CALLER, None)
        assert replay.encode(before, lambda: None) == at_once
        after = read(replay.encode(captured(authority), lambda: None))
        await authority.stop()
        return read(at_once), after

    before, after = asyncio.run(scenario())

    assert {each.state for each in before.decisions} == {State.PERMITTED}
    assert {each.state for each in after.decisions} == {State.PERMITTED, State.REDEEMED}
    assert (len(before.decisions), len(after.decisions), before.paused, after.paused) == (2, 3, {}, {"a2": "why"})
    assert [len(each.limits["usage"][0][3]) for each in (before, after)] == [2, 3]


def test_approvals_do_not_change_in_it_either(kit):
    """An answer or a use after the moment is not in it: replayed, it would count twice."""

    async def scenario():
        authority = await kit.started()
        book = authority._parts.memory.approvals
        book.add(
            Approval("one", "action", "a1", "tester", [], "pay", None, None, [], "v", [Needed("lead", 2)], 1, 9**15)
        )
        before = captured(authority)
        at_once = replay.encode(before, lambda: None)
        book.vote("one", Vote("alice", "unix_peer", ["lead"], 2, "fine"), grant=True)
        book.consume("one", "decision", "5")
        assert replay.encode(before, lambda: None) == at_once
        after = read(replay.encode(captured(authority), lambda: None))
        await crash(authority, kit)
        return read(at_once).approvals, after.approvals

    before, after = asyncio.run(scenario())

    assert [(len(each.approvals[0].votes), each.figures.used) for each in (before, after)] == [(0, 0), (1, 1)]


def test_it_is_written_in_parts(kit):
    """With rests between them, and read back as if it had been written at once; what was reported is left out."""

    async def scenario():
        authority = await kit.started()
        answer = await authority.evaluate(question(), CALLER, None)
        memory = authority._parts.memory
        (decision,) = memory.decisions
        for number in range(1000):
            state = State.REPORTED if number == 500 else State.PERMITTED
            memory.decisions.add(msgspec.structs.replace(decision, record_id=f"{number}", state=state))
        whole, rests = captured(authority), []
        encoded = replay.encode(whole, lambda: rests.append(1))
        memory.decisions.close(answer.context.record_id)
        await crash(authority, kit)
        return whole, encoded, len(rests)

    whole, encoded, rests = asyncio.run(scenario())

    expected = [each for each in whole.decisions if each.state is not State.REPORTED]
    assert len(expected) == 1000
    assert read(encoded) == msgspec.json.decode(
        msgspec.json.encode(msgspec.structs.replace(whole, decisions=expected)), type=replay.Snapshot
    )
    assert rests >= 1000 // replay._PART


def test_the_last_one_is_the_newest(kit):
    """A stop waits for the snapshot that is being written and stores another after it, never beside it."""

    async def scenario():
        authority = await kit.started()
        files = gated(authority)
        assert authority._snapshots.begin()
        await authority.evaluate(question(), CALLER, None)
        finishing = asyncio.ensure_future(authority._snapshots.finish())
        await asyncio.sleep(0.05)
        assert files.stored == []  # it waits
        files.gate.set()
        await finishing
        first, last = (read_cursor(authority, sealed) for sealed in files.stored)
        await crash(authority, kit)
        return first, last, files.stored[-1] == files.load_snapshot()

    first, last, newest = asyncio.run(scenario())

    assert first < last
    assert newest


def test_one_that_cannot_be_stored_is_told_and_tried_again(kit, caplog):
    """It only makes the next start longer: nothing else notices, and the next one is stored."""

    async def scenario():
        authority = await kit.started()
        files = gated(authority)
        files.gate.set()
        failing = files.store_snapshot

        def fail(_sealed):
            raise UnavailableError("the disk is full")

        files.store_snapshot = fail
        assert authority._snapshots.begin()
        await authority._snapshots._settled()
        files.store_snapshot = failing
        assert authority._snapshots.begin()
        await authority._snapshots._settled()
        await authority.stop()
        return len(files.stored)

    assert asyncio.run(scenario()) == 2  # the second, and the one of the stop
    assert "no snapshot: the disk is full" in caplog.text
