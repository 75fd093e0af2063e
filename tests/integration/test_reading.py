"""The reading desk over a real authority, journal and store: what is answered, to whom, and its record."""

import asyncio
import threading
import time
from pathlib import Path

import pytest

from sealgate.access import Bounds, Desk
from sealgate.access.desk import Asked
from sealgate.access.exports import Exports
from sealgate.adapters import reading_policies
from sealgate.adapters.evidence.export import FileExporter
from sealgate.adapters.evidence.proving import PublishedProofs
from sealgate.adapters.evidence.store import DuckStore
from sealgate.adapters.journals.following import FollowingJournal
from sealgate.adapters.keys.file import FileWrappingKey
from sealgate.adapters.keys.reading_keys import ReadingKeys
from sealgate.adapters.stores.directory import DirectoryLog
from sealgate.evidence.answers import Filter
from sealgate.evidence.consumer import Consumer
from sealgate.evidence.queries import Queries
from sealgate.evidence.records import Records
from sealgate.model.errors import InputError, NotPermittedError, UnavailableError
from sealgate.model.evaluation import CaptureRequest, Identity
from sealgate.model.grants import GrantRequest
from sealgate.proofs.notes import ED25519, VerifierKey

from .conftest import CALLER, ORIGIN, question

ADMIN = Identity(principal="root", proof="unix_peer", roles=frozenset({"administer"}))
SERVICE = Identity(principal="evidence", proof="unix_peer", roles=frozenset({"service"}))


class InProcess:
    """The authority as the desk needs it, without a socket between; ``down`` is a lost connection."""

    def __init__(self, authority):
        self.authority = authority
        self.down = False

    async def record(self, access, request_id):
        """Record."""
        if self.down:
            raise UnavailableError("no connection")
        request = CaptureRequest(kind="access", data=dict(access), request_id=request_id)
        return (await self.authority.capture(request, SERVICE)).record_id

    async def grants(self):
        """Tell the grants."""
        return self.authority.grants()


class Room:
    """A desk and everything behind it."""

    def __init__(self, kit, authority, **bounds):
        wrapping = FileWrappingKey(kit.kek)
        log = VerifierKey(ORIGIN, ED25519, kit.log_signer.public_key)
        public = DirectoryLog(kit.folder / "log")
        keys = ReadingKeys(kit.folder / "datakeys.db", wrapping)
        self.store = DuckStore(kit.folder / "evidence", wrapping)
        journal = FollowingJournal(kit.folder / "journal", public, log)
        records = Records(journal, keys, ORIGIN)
        self.consumer = Consumer(records, keys, self.store)
        self.kit, self.authority = kit, authority

        proof = PublishedProofs(public, log)
        exporter = FileExporter(self.store, records, proof, public, b"{}")
        self.queries = Queries(self.store, proof=proof, exporter=exporter, status=self.consumer.status)
        self.log = InProcess(authority)
        self.desk = Desk(
            queries=self.queries,
            log=self.log,
            point=reading_policies.load(),
            unix_ms=lambda: time.time_ns() // 1_000_000,
            bounds=Bounds(**bounds),
        )
        self.exports = Exports(self.desk, max_bytes=1 << 20)

    async def follow(self):
        """Let the store catch up with everything that is durable now."""
        size = self.kit.reader.size
        async with asyncio.timeout(60):
            while self.consumer.status().projected < size:
                self.consumer.step()
                await asyncio.sleep(0.02)

    def accesses(self):
        """The access records so far."""
        return [body for body in self.kit.bodies() if body["kind"] == "access"]

    def close(self):
        """Let go."""
        self.desk.close()
        self.exports.close()
        self.store.close()


def _in_room(kit, scenario, **bounds):
    async def life():
        authority = await kit.started()
        room = None
        try:
            for agent, to in (("a1", "bob"), ("a1", "mallory"), ("a2", "bob")):
                await authority.evaluate(question(agent=agent, to=to, amount=5), CALLER, None)
            event = CaptureRequest(kind="event.logged", data={"message": "the secret word"}, agent="a1")
            await authority.capture(event, CALLER)
            room = Room(kit, authority, **bounds)
            await room.follow()
            return await scenario(room)
        finally:
            if room is not None:
                room.close()
            await authority.stop()

    return asyncio.run(life())


def _who(*roles, agents=(), name="carol"):
    return Identity(principal=name, proof="unix_peer", agents=frozenset(agents), roles=frozenset(roles))


def test_each_role_sees_its_parts_and_each_read_is_a_record(kit):
    """An analyst sees no content, an investigator all of it; the records say who, what, how many, why."""

    async def scenario(room):
        page, note = await room.desk.search(Filter(kind="decision"), Asked(caller=_who("analyst")))
        assert [row.outcome for row in page.rows] == ["SILENCE", "DENY", "PERMIT"]
        assert not any(row.text or row.rest or row.principal for row in page.rows)
        assert note.hidden == ["content", "people", "subjects"]
        why = Asked(caller=_who("investigator"), reason="incident 7")
        whole, _ = await room.desk.search(Filter(kind="decision"), why)
        assert all(row.rest and row.principal for row in whole.rows)
        return room.accesses()

    first, second = _in_room(kit, scenario)
    assert (first["reader"]["principal"], first["operation"], first["count"]) == ("carol", "search", 3)
    assert first["filter"] == [{"field": "kind", "value": "decision"}]
    assert second["reason"] == "incident 7"
    assert second["policies"] == ["investigator-reads", "investigator-sees"]


def test_a_refused_read_is_a_record(kit):
    """No role, no reason, another's agent, a hidden member: refused and recorded, with the reason and no rows."""

    async def scenario(room):
        asked = [
            (Filter(), Asked(caller=_who())),
            (Filter(), Asked(caller=_who("investigator"))),
            (Filter(agent="a2"), Asked(caller=_who("developer", agents=["a1"]))),
            (Filter(text="secret"), Asked(caller=_who("analyst"))),
            (Filter(), Asked(caller=_who("analyst"), role="investigator", reason="x")),
        ]
        for what, who in asked:
            with pytest.raises(NotPermittedError) as refused:
                await room.desk.search(what, who)
            assert refused.value.code == "read-refused"
        page, _ = await room.desk.search(Filter(agent="a1"), Asked(caller=_who("developer", agents=["a1"])))
        assert {row.agent for row in page.rows} == {"a1"}
        return room.accesses()

    accesses = _in_room(kit, scenario)
    assert [body["outcome"] for body in accesses] == ["refused"] * 5 + ["allowed"]
    assert all(body["count"] is None for body in accesses[:5])
    assert "secret" not in str(accesses)


def test_nothing_is_answered_that_is_not_recorded(kit):
    """With the authority away no read is answered, of any kind; once it is back, all are."""

    async def scenario(room):
        why = Asked(caller=_who("investigator", "administrator"), reason="incident 7")
        page, _ = await room.desk.search(Filter(kind="decision"), why)
        record_id = page.rows[0].record_id
        asks = [
            lambda: room.desk.search(Filter(), why),
            lambda: room.desk.trace(record_id, why),
            lambda: room.desk.explain(record_id, why),
            lambda: room.desk.aggregate(Filter(), why, group_by=("agent",), measure="count"),
            lambda: room.desk.status(why),
            lambda: room.exports.make(Filter(), "jsonl", why),
        ]
        room.log.down = True
        for ask in asks:
            with pytest.raises(UnavailableError, match="could not be recorded"):
                await ask()
        before = len(room.accesses())
        room.log.down = False
        for ask in asks:
            await ask()
        assert len(room.accesses()) == before + len(asks)

    _in_room(kit, scenario)


def test_a_developer_is_led_to_the_own_agent_and_a_trace_withholds_the_rest(kit):
    """A search without an agent is narrowed to the only one; another's record is not even there."""

    async def scenario(room):
        developer = Asked(caller=_who("developer", agents=["a1"]))
        page, _ = await room.desk.search(Filter(kind="decision"), developer)
        assert {row.agent for row in page.rows} == {"a1"}
        why = Asked(caller=_who("investigator"), reason="x")
        other = (await room.desk.search(Filter(agent="a2"), why))[0].rows[0].record_id
        for ask in (room.desk.trace, room.desk.explain):
            with pytest.raises(NotPermittedError) as refused:
                await ask(other, developer)
            assert refused.value.code == "record-unknown"
        explained, note = await room.desk.explain(page.rows[0].record_id, developer)
        assert "hidden from this role" in explained.text[-1]
        assert "content" in note.hidden
        seen, _ = await room.desk.trace(other, why)
        assert seen.rows

    _in_room(kit, scenario)


def test_an_auditor_reads_within_the_box_until_it_ends(kit):
    """Granted over the API: one agent, until a time. Revoked: refused at once."""

    async def scenario(room):
        eve = _who(name="eve")
        granted = await room.authority.grant_role(
            GrantRequest(
                principal="eve", role="auditor", reason="audit", agents=["a1"], valid_until="2200-01-01T00:00:00Z"
            ),
            ADMIN,
        )
        why = Asked(caller=eve, reason="audit")
        page, note = await room.desk.search(Filter(), why)
        assert note.role == "auditor"
        assert page.rows
        assert {row.agent for row in page.rows} == {"a1"}
        with pytest.raises(NotPermittedError):
            await room.desk.search(Filter(agent="a2"), why)
        await room.authority.revoke_role(granted.record_id, "over", ADMIN)
        with pytest.raises(NotPermittedError):
            await room.desk.search(Filter(), why)

    _in_room(kit, scenario)


def test_exports_hide_are_recorded_and_belong_to_their_maker(kit):
    """What compliance exports has no content; its digest is in the record; nobody else can fetch it."""

    async def scenario(room):
        caller = _who("compliance")
        why = Asked(caller=caller, reason="report")
        with pytest.raises(NotPermittedError, match="holds parts"):
            await room.exports.make(Filter(), "parquet", why)
        made = {}
        for form in ("jsonl", "csv"):
            ready, _ = await room.exports.make(Filter(until="2200-01-01T00:00:00Z"), form, why)
            made[form] = await room.exports.fetch(ready.export_id, 0, caller)
            assert room.accesses()[-1]["digest"] == ready.digest
            assert room.accesses()[-1]["count"] == ready.count
            with pytest.raises(NotPermittedError):
                await room.exports.fetch(ready.export_id, 0, _who("compliance", name="mallory"))
        assert b"the secret word" not in made["jsonl"] + made["csv"]
        everything = Asked(caller=_who("investigator"), reason="report")
        ready, _ = await room.exports.make(Filter(), "jsonl", everything)
        assert b"the secret word" in await room.exports.fetch(ready.export_id, 0, everything.caller)

    _in_room(kit, scenario)


def test_an_export_is_held_until_it_ends_and_no_longer(kit):
    """What is not recorded, not allowed or too long is let go at once, the rest in time or when the service stops."""

    async def scenario(room):
        why = Asked(caller=_who("investigator"), reason="report")
        kept = Exports(room.desk, max_bytes=1 << 20, kept_s=600.0)
        room.log.down = True
        with pytest.raises(UnavailableError):
            await kept.make(Filter(), "jsonl", why)
        room.log.down = False
        with pytest.raises(NotPermittedError, match="holds parts"):
            await kept.make(Filter(), "bundle", Asked(caller=_who("compliance"), reason="report"))
        assert _held() == 0
        ready, _ = await kept.make(Filter(), "jsonl", why)
        assert b"the secret word" in await kept.fetch(ready.export_id, 0, why.caller)
        assert _held() == 1
        short = Exports(room.desk, max_bytes=1 << 20, kept_s=0.3)
        over, _ = await short.make(Filter(), "jsonl", why)
        await kit.until(lambda: _held() == 1, timeout_s=60)  # nobody asks for anything meanwhile
        with pytest.raises(NotPermittedError, match="no such export"):
            await short.fetch(over.export_id, 0, why.caller)
        assert b"the secret word" in await kept.fetch(ready.export_id, 0, why.caller)
        await kept.make(Filter(), "csv", why)
        assert _held() == 2
        kept.close()
        assert _held() == 0

    _in_room(kit, scenario)


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "bundle"])
def test_an_export_too_long_is_refused_before_it_is_whole(kit, form):
    """With room for all of it there is an export, of one byte less there is none: refused, recorded, let go."""

    async def scenario(room):
        why = Asked(caller=_who("investigator"), reason="report")
        what = Filter(agent="a1")
        ready, _ = await room.exports.make(what, form, why)
        assert ready.bytes > 500
        for most in (100, ready.bytes - 50):
            less = Exports(room.desk, max_bytes=most)
            with pytest.raises(NotPermittedError, match=f"more than {most} bytes") as refused:
                await less.make(what, form, why)
            assert refused.value.code == room.accesses()[-1]["refusal"] == "export-too-large"
            assert _held() == 1

    _in_room(kit, scenario)


def test_exports_that_wait_are_bounded_in_number_and_bytes(kit):
    """Sixteen at once, made or being made; no new one while those that wait have as many bytes as one may have."""

    async def scenario(room):
        why = Asked(caller=_who("investigator"), reason="report")
        many = [room.exports.make(Filter(kind="event.logged"), "jsonl", why) for _ in range(20)]
        ended = await asyncio.gather(*many, return_exceptions=True)
        assert _held() == 16
        refusals = [error.message for error in ended if isinstance(error, UnavailableError)]
        assert refusals == ["too many exports wait to be fetched"] * 4
        room.exports.close()
        ready, _ = await room.exports.make(Filter(kind="decision"), "jsonl", why)
        room.exports.close()
        tight = Exports(room.desk, max_bytes=ready.bytes + 1)
        for _ in range(2):
            await tight.make(Filter(kind="decision"), "jsonl", why)
        with pytest.raises(UnavailableError, match="too many exports"):
            await tight.make(Filter(kind="decision"), "jsonl", why)
        assert _held() == 2
        tight.close()

    _in_room(kit, scenario)


def test_an_export_given_up_ends_and_is_let_go(kit):
    """One that takes too long is refused; its thread ends at its next write and its memory is free at once."""

    async def scenario(room):
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def endless(_what, *, file, **_rest):
            try:
                while True:
                    file.write(b"x")
                    time.sleep(0.01)
            finally:
                loop.call_soon_threadsafe(ended.set)

        whole, room.queries.export = room.queries.export, endless
        why = Asked(caller=_who("investigator"), reason="report")
        with pytest.raises(NotPermittedError) as late:
            await room.exports.make(Filter(), "jsonl", why)
        assert late.value.code == room.accesses()[-1]["refusal"] == "query-too-long"
        assert _held() == 0
        await asyncio.wait_for(ended.wait(), 60)
        room.queries.export, room.desk.bounds = whole, Bounds()
        await room.exports.make(Filter(), "jsonl", why)
        assert _held() == 1

    _in_room(kit, scenario, export_timeout_s=0.5)


def _held():
    """Return how many exports this process has in memory."""
    return sum("memfd:sealgate-export" in str(path.resolve()) for path in Path("/proc/self/fd").iterdir())


def test_a_question_that_takes_too_long_is_given_up_and_recorded(kit):
    """Its asker is told; others are answered meanwhile."""

    async def scenario(room):
        slow, begun, over = room.queries.status, threading.Event(), threading.Event()
        room.desk.queries.status = lambda: (begun.set(), over.wait(60), slow())[2]
        why = Asked(caller=_who("investigator"), reason="x")
        slow_one = asyncio.ensure_future(room.desk.status(why))
        await kit.until(begun.is_set, timeout_s=30)
        room.desk.lane._timeout_s = 30.0  # of the others
        page, _ = await room.desk.search(Filter(), why)
        assert page.rows
        with pytest.raises(NotPermittedError) as late:
            await slow_one
        over.set()
        assert late.value.code == "query-too-long"
        refused = {body["operation"]: body["refusal"] for body in room.accesses()}
        assert refused == {"search": None, "status": "query-too-long"}

    _in_room(kit, scenario, timeout_s=2.0)


def test_limits_and_reasons_are_bounded(kit):
    """A page too long, an empty or endless reason, an empty time: refused before anything is asked."""

    async def scenario(room):
        who = _who("analyst")
        for what, asked, limit in (
            (Filter(), Asked(caller=who), 0),
            (Filter(), Asked(caller=who), 10_000),
            (Filter(), Asked(caller=who, reason=" "), 1),
            (Filter(), Asked(caller=who, reason="x" * 501), 1),
            (Filter(since="2026-01-02T00:00:00Z", until="2026-01-01T00:00:00Z"), Asked(caller=who), 1),
            (Filter(since="yesterday"), Asked(caller=who), 1),
        ):
            with pytest.raises(InputError):
                await room.desk.search(what, asked, limit=limit)
        await room.desk.search(Filter(), Asked(caller=who, reason="x" * 500), limit=1)

    _in_room(kit, scenario)
