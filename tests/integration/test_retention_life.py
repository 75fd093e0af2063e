"""Retention in a real authority: what is due goes, with a record; what is held stays; everything else still works."""

import asyncio
import functools
import json

import pytest

from sealgate.authority.retention_parts import Settings
from sealgate.authority.retention_survey import decode_indexes
from sealgate.model.errors import NotPermittedError
from sealgate.model.evaluation import CaptureRequest, Identity
from sealgate.retention.classes import Classes, Rule
from sealgate.retention.terms import DAY_MS, Terms

from .conftest import SettableClock

A = Identity(principal="anna", proof="unix_peer", agents=frozenset({"*"}), roles=frozenset({"enforce", "retain"}))
B = Identity(principal="bert", proof="unix_peer", agents=frozenset({"*"}), roles=frozenset({"enforce", "retain"}))
CLASSES = Classes(
    [
        Rule("default", Terms(0, 30, 60)),
        Rule("short", Terms(0, 2, 5), kinds=("event.logged",)),
        Rule("long", Terms(minimum=20, maximum=10, receipt=12), kinds=("reasoning",)),
    ]
)


class FromNoon(SettableClock):
    """The shifted clock, as if the test had begun at noon: what a test records is then of one day, under one key."""

    def __init__(self):
        self._noon_ms = (DAY_MS // 2 - super().unix_ms()) % DAY_MS

    def unix_ms(self):
        """Tell the shifted time."""
        return super().unix_ms() + self._noon_ms


def in_loop(test):
    """Run a coroutine test in a loop of its own, from noon on."""

    @functools.wraps(test)
    def run(kit):
        kit.clock = FromNoon()
        asyncio.run(test(kit))

    return run


async def capture(authority, kind, count, *, task=None, agent="a1"):
    """Record so many of one kind."""
    await asyncio.gather(
        *(
            authority.capture(CaptureRequest(kind=kind, data={"n": n}, agent=agent, task_id=task), A)
            for n in range(count)
        )
    )


def bodies(kit):
    """Index → kind of what can be read."""
    found = {}
    for index in range(kit.reader.size):
        content = kit.reader.read(index).content()
        if content is not None:
            found[index] = content["kind"]
    return found


def started(kit, **more):
    """A started authority with the classes above, archiving only when asked."""
    return kit.started(retention=Settings(CLASSES, compact=False, **more))


@in_loop
async def test_exactly_what_is_due_goes(kit):
    """After three days the short class has lost its bodies, nothing else; the record tells which."""
    authority = await started(kit)
    await capture(authority, "event.logged", 20)
    await capture(authority, "session.started", 20)
    before = bodies(kit)
    kit.clock.shift_ms = 3 * DAY_MS
    done = await authority.run_retention(A)
    after = bodies(kit)

    assert (done["bodies"], done["statements"], done["held"]) == (20, 0, 0)
    gone = set(before) - set(after)
    assert gone == {index for index, kind in before.items() if kind == "event.logged"}
    [expired] = [
        kit.reader.read(index).content()
        for index, kind in after.items()
        if kind == "retention.expired" and kit.reader.read(index).content()["layer"] == "body"
    ]
    assert set(decode_indexes(expired["indexes"], expired["from_index"])) == gone
    assert expired["count"] == 20
    assert done["keys_destroyed"] == 1
    again = await authority.run_retention(A)
    assert (again["bodies"], again["keys_destroyed"]) == (0, 0)
    await authority.stop()


@in_loop
async def test_a_restart_reads_what_was_written_anew(kit):
    """After archiving and expiry the authority starts, decides and finds old records by their id."""
    authority = await started(kit)
    await capture(authority, "session.started", 30)
    await capture(authority, "event.logged", 30)
    kit.clock.shift_ms = 3 * DAY_MS
    await authority.run_retention(A)
    expected = bodies(kit)
    ids = {kit.reader.read(index).content()["record_id"]: index for index in expected}
    await authority.stop()
    again = await started(kit)

    assert {index: kind for index, kind in bodies(kit).items() if index in expected} == expected
    assert all(kit.reader.find(name).index == index for name, index in ids.items())
    assert again.current_policy() is not None
    await capture(again, "session.started", 3)
    await again.stop()


@in_loop
async def test_a_hold_keeps_what_it_names_until_two_persons_release_it(kit):
    """A held task survives its class; the period's key goes all the same; after the release it goes too."""
    authority = await started(kit)
    await capture(authority, "event.logged", 10, task="t-held")
    await capture(authority, "event.logged", 10, task="t-free")
    placed = await authority.place_hold({"tasks": ["t-held"]}, "case 1", A)
    with pytest.raises(NotPermittedError, match="cannot confirm"):
        await authority.confirm_hold(placed["hold_id"], A)
    await authority.confirm_hold(placed["hold_id"], B)
    kit.clock.shift_ms = 3 * DAY_MS
    done = await authority.run_retention(A)

    assert (done["bodies"], done["held"], done["keys_destroyed"]) == (10, 10, 1)
    held = [index for index, kind in bodies(kit).items() if kind == "event.logged"]
    assert len(held) == 10
    assert all(kit.reader.read(index).content()["task_id"] == "t-held" for index in held)

    await authority.stop()
    authority = await started(kit)
    assert [hold["stage"] for hold in authority.holds()] == ["placed"]
    await authority.release_hold(placed["hold_id"], "closed", B)
    assert (await authority.run_retention(A))["bodies"] == 0
    with pytest.raises(NotPermittedError, match="cannot confirm"):
        await authority.confirm_hold(placed["hold_id"], B)
    await authority.confirm_hold(placed["hold_id"], A)
    assert (await authority.run_retention(A))["bodies"] == 10
    assert "event.logged" not in bodies(kit).values()
    steps = [index for index, kind in bodies(kit).items() if kind in ("hold.placed", "hold.released")]
    told = [kit.reader.read(index).content()["agent"] for index in steps]
    assert [(agent["principal"], agent["proof"]) for agent in told] == [
        (name, "unix_peer") for name in ("anna", "bert", "bert", "anna")
    ]
    await authority.stop()


@in_loop
async def test_where_rules_contradict_payload_and_receipt_part(kit):
    """A maximum of 10 days under a minimum of 20: the body goes at 10, the statement at 20 and not before."""
    authority = await started(kit)
    await capture(authority, "reasoning", 300)
    await capture(authority, "session.started", 300)
    kit.clock.shift_ms = 11 * DAY_MS
    first = await authority.run_retention(A)
    kit.clock.shift_ms = 19 * DAY_MS
    second = await authority.run_retention(A)
    kit.clock.shift_ms = 21 * DAY_MS
    await kit.until(lambda: authority._parts.bundles.published() > 600, timeout_s=60)  # before that, statements stay
    third = await authority.run_retention(A)

    assert (first["bodies"], first["statements"]) == (300, 0)
    assert (second["bodies"], second["statements"]) == (0, 0)
    assert (third["bodies"], third["statements"]) == (0, 300)
    await authority.stop()


@in_loop
async def test_the_plan_changes_nothing(kit):
    """A dry run says what a run then does."""
    authority = await started(kit)
    await capture(authority, "event.logged", 5)
    kit.clock.shift_ms = 3 * DAY_MS
    plan = await authority.plan_retention()
    assert (plan["bodies"], len(bodies(kit))) == (5, kit.reader.size)
    assert (await authority.run_retention(A))["bodies"] == 5
    assert json.dumps(plan)
    await authority.stop()


@in_loop
async def test_decisions_go_on_while_a_run_writes_anew(kit):
    """A run, records and reads at the same time: nothing is lost, every answer is right; a second run is refused."""
    authority = await started(kit)
    await capture(authority, "event.logged", 300)
    kit.clock.shift_ms = 3 * DAY_MS
    running = asyncio.create_task(authority.run_retention(A))
    await asyncio.sleep(0)
    with pytest.raises(NotPermittedError, match="under way"):
        await authority.run_retention(A)
    rounds = 0
    while not running.done():
        await capture(authority, "session.started", 5)
        assert kit.reader.read(kit.reader.size - 1).content() is not None
        rounds += 1
    done = await running
    kinds = list(bodies(kit).values())

    assert done["bodies"] == 300
    assert rounds > 0
    assert kinds.count("session.started") == rounds * 5
    await authority.stop()


@in_loop
async def test_what_the_log_has_not_read_yet_keeps_its_statement(kit):
    """Statements go only when they are under the published checkpoint, also when their time is long over."""
    authority = await started(kit)
    authority._parts.publisher.stop()
    size = authority._parts.bundles.published()
    await capture(authority, "event.logged", 600)
    kit.clock.shift_ms = 10 * DAY_MS
    done = await authority.run_retention(A)

    assert (done["bodies"], done["statements"]) == (600, 0)
    assert authority._parts.bundles.published() == size
    await authority.stop()
    again = await started(kit)
    await kit.until(lambda: again._parts.bundles.published() > 600, timeout_s=60)
    assert (await again.run_retention(A))["statements"] > 300
    await again.stop()
