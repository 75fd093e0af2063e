"""Erasing a subject: its keys go, every step is a record, and nothing stops half-way."""

import asyncio
import base64
import hashlib
import os

import pytest

from sealgate.authority.erasure import Erasures
from sealgate.model.erasure import ErasureRequest, State
from sealgate.model.errors import InputError, NotPermittedError, UnavailableError
from sealgate.model.evaluation import Identity
from sealgate.model.records import Kind
from sealgate.model.scopes import subject_prefix

SUBJECT = "sub_" + "a" * 26
OTHER = "sub_" + "b" * 26
ID = "00000000-0000-4000-8000-000000000001"
OFFICER = Identity(principal="officer", proof="unix_peer", roles=frozenset({"erase"}))


class _Hold:
    """A hold on one subject."""

    def covers(self, subject):
        """Cover the subject of the tests."""
        return "matter 7" if subject == SUBJECT else None


async def _event(authority, subject):
    recorder = authority._parts.recorder
    draft = recorder.draft(Kind.EVENT_LOGGED)
    draft.fields = {"data_json": '"x"', "claimed": True}
    return (await recorder.record(draft, subject=subject)).index


async def _populated(kit, **options):
    authority = await kit.started(**options)
    indexes = {subject: [await _event(authority, subject) for _ in range(3)] for subject in (SUBJECT, OTHER, None)}
    return authority, indexes


def _request(**members):
    return ErasureRequest(erasure_id=members.pop("erasure_id", ID), basis="gdpr-17-1-b", **members)


def _readable(kit, index):
    return kit.reader.read(index).content() is not None


def _kinds(kit):
    return [body["kind"] for body in kit.bodies() if body is not None and body["kind"].startswith("erasure.")]


async def _erased(kit):
    authority, indexes = await _populated(kit)
    done = await authority.erase(SUBJECT, _request(), OFFICER)
    again = await authority.erase(SUBJECT, _request(), OFFICER)
    left = {subject: [_readable(kit, index) for index in found] for subject, found in indexes.items()}
    body = kit.reader.read(done.index).content()
    kinds = _kinds(kit)
    await authority.stop()
    return done, again, indexes, left, body, kinds


def test_a_subject_is_erased_and_nobody_else(kit):
    """Its bodies cannot be read any more, all others can; the record names keys and records; once is enough."""
    done, again, indexes, left, body, kinds = asyncio.run(_erased(kit))

    assert left == {SUBJECT: [False] * 3, OTHER: [True] * 3, None: [True] * 3}
    assert done.state is State.EXECUTED
    assert again == done
    assert kinds == ["erasure.requested", "erasure.executed"]
    digest = hashlib.sha256(b"".join(index.to_bytes(8, "big") for index in indexes[SUBJECT])).digest()
    assert body["index_digest"] == base64.urlsafe_b64encode(digest)[:-1].decode()
    assert (body["records"], body["from_index"], body["to_index"]) == (3, indexes[SUBJECT][0], indexes[SUBJECT][-1] + 1)
    assert body["scopes"] == [f"default/{SUBJECT}/default"]
    assert (body["keys"], len(body["key_ids"])) == (1, 1)
    assert body["agent"]["principal"] == "officer"
    assert body["complete_after"] > body["time"]


async def _refused(kit, holds, request):
    authority, indexes = await _populated(kit)
    authority._erasures._holds = holds or authority._erasures._holds
    answers = [await authority.erase(SUBJECT, request, OFFICER) for _ in range(2)]
    readable = [_readable(kit, index) for index in indexes[SUBJECT]]
    other = await authority.erase(OTHER, _request(erasure_id=ID[:-1] + "2"), OFFICER)
    kinds = _kinds(kit)
    await authority.stop()
    return answers, readable, other, kinds


@pytest.mark.parametrize(
    ("holds", "request_", "ground"),
    [
        (_Hold(), _request(), "legal-hold"),
        (None, _request(refuse="gdpr-17-3-b", reason="tax law"), "gdpr-17-3-b"),
    ],
)
def test_a_hold_or_a_legal_ground_refuses(kit, holds, request_, ground):
    """Nothing is destroyed, the refusal is a record with its ground; another subject is erased all the same."""
    answers, readable, other, kinds = asyncio.run(_refused(kit, holds, request_))

    assert [answer.state for answer in answers] == [State.REFUSED] * 2
    assert answers[0].ground == ground
    assert answers[0].reason
    assert readable == [True] * 3
    assert other.state is State.EXECUTED
    assert kinds == ["erasure.requested", "erasure.refused", "erasure.requested", "erasure.executed"]


async def _in_two_steps(kit):
    authority, indexes = await _populated(kit)
    asked = (await authority.erase(SUBJECT, _request(vault="pending"), OFFICER)).state
    before = _readable(kit, indexes[SUBJECT][0])
    with pytest.raises(NotPermittedError, match="under way"):
        await authority.erase(SUBJECT, _request(erasure_id=ID[:-1] + "2"), OFFICER)
    with pytest.raises(InputError, match="another erasure"):
        await authority.erase(OTHER, _request(), OFFICER)
    await authority.stop()
    authority = await kit.started()
    done = await authority.erase(SUBJECT, _request(vault="erased"), OFFICER)
    await authority.stop()
    return asked, before, done


def test_it_waits_for_the_vault_also_over_a_restart(kit):
    """`pending` asks and destroys nothing; the same id goes on after a restart; the id serves no other subject."""
    asked, before, done = asyncio.run(_in_two_steps(kit))

    assert asked is State.REQUESTED
    assert before is True
    assert done.state is State.EXECUTED
    assert done.vault == "erased"


@pytest.mark.parametrize("subject", ["alice@example.com", "sub_short", SUBJECT.upper(), ""])
def test_only_tokens_name_subjects(kit, subject):
    """What is no token is refused and leaves no record, so that no name ever enters the log this way."""

    async def ask():
        authority, _ = await _populated(kit)
        with pytest.raises(InputError, match="not a subject token"):
            await authority.erase(subject, _request(), OFFICER)
        kinds = _kinds(kit)
        await authority.stop()
        return kinds

    assert asyncio.run(ask()) == []


_STEPS = (
    "record requested",
    "store requested",
    "gather",
    "store planned",
    "destroy",
    "record executed",
    "store executed",
)


def _die_at(monkeypatch, name):
    """Let the process die before the step ``name``."""
    seen = []

    def before(step, function):
        def wrapped(*arguments, **named):
            label = step(*arguments) if callable(step) else step
            if label == name:
                seen.append(label)
                os._exit(9)
            return function(*arguments, **named)

        return wrapped

    monkeypatch.setattr(Erasures, "_record", before(lambda _, kind, *__: f"record {kind.value[8:]}", Erasures._record))
    monkeypatch.setattr(Erasures, "_store", before(lambda _, erasure: f"store {erasure.state}", Erasures._store))
    monkeypatch.setattr(Erasures, "_gather", before("gather", Erasures._gather))
    from sealgate.adapters.keys.datakeys import SqliteDataKeys

    monkeypatch.setattr(SqliteDataKeys, "destroy_many", before("destroy", SqliteDataKeys.destroy_many))


async def _finish_after_a_crash(kit):
    authority = await kit.started()
    unasked = [erasure.state for erasure in authority.erasures(SUBJECT)]
    done = await authority.erase(SUBJECT, _request(), OFFICER)
    bodies = kit.bodies()
    keys = authority._parts.data_keys.facts(subject_prefix(SUBJECT))
    await authority.stop()
    return unasked, done, bodies, keys


@pytest.mark.parametrize("step", _STEPS)
def test_killed_before_any_step_it_is_finished(kit, monkeypatch, step):
    """The next start finishes what was planned by itself; asking again finishes the rest; facts are whole each time."""
    child = os.fork()
    if child == 0:
        _die_at(monkeypatch, step)

        async def run():
            authority, _ = await _populated(kit)
            await authority.erase(SUBJECT, _request(), OFFICER)

        try:
            asyncio.run(run())
        finally:
            os._exit(0)  # whatever went wrong, this copy of the tests does not go on
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9

    unasked, done, bodies, keys = asyncio.run(_finish_after_a_crash(kit))

    planned = step in ("destroy", "record executed", "store executed")
    assert unasked == (
        [State.EXECUTED] if planned else [State.REQUESTED] if step in ("gather", "store planned") else []
    )
    assert done.state is State.EXECUTED
    assert (done.facts.records, len(done.facts.key_ids)) == (3, 1)
    assert keys == []
    executed = [body for body in bodies if body and body["kind"] == "erasure.executed"]
    assert {(body["records"], *body["key_ids"]) for body in executed} == {(3, *done.facts.key_ids)}
    assert len(executed) == (2 if step == "store executed" else 1)


async def _restored(kit):
    authority, indexes = await _populated(kit)
    await authority.stop()
    backup = (kit.folder / "datakeys.db").read_bytes()
    authority = await kit.started()
    await authority.erase(SUBJECT, _request(), OFFICER)
    await authority.stop()
    (kit.folder / "datakeys.db").write_bytes(backup)
    before = subject_prefix(SUBJECT).encode() in backup
    authority = await kit.started()
    keys = authority._parts.data_keys
    left = keys.facts(subject_prefix(SUBJECT)), keys.facts(subject_prefix(OTHER))
    readable = [_readable(kit, indexes[subject][0]) for subject in (SUBJECT, OTHER)]
    await authority.stop()
    return before, left, readable


def test_a_restored_backup_undoes_no_erasure(kit):
    """Keys that an old copy of the key store brings back are destroyed at the next start; others serve as before."""
    before, (erased, others), readable = asyncio.run(_restored(kit))

    assert before
    assert erased == []
    assert len(others) == 1
    assert readable == [False, True]


async def _key_store_fails(kit):
    authority, indexes = await _populated(kit)
    keys = authority._parts.data_keys
    keys._database.execute("PRAGMA busy_timeout=10")
    import sqlite3

    reader = sqlite3.connect(kit.folder / "datakeys.db")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM data_keys").fetchall()
    with pytest.raises(UnavailableError):
        await authority.erase(SUBJECT, _request(), OFFICER)
    states = [erasure.state for erasure in authority.erasures(SUBJECT)]
    reader.close()
    async with asyncio.timeout(60):
        while authority.erasures(SUBJECT)[0].state is not State.EXECUTED:  # noqa: ASYNC110  # another task's doing
            await asyncio.sleep(0.05)
    readable = _readable(kit, indexes[SUBJECT][0])
    kinds = _kinds(kit)
    await authority.stop()
    return states, readable, kinds


def test_what_the_key_store_refuses_is_tried_again(kit):
    """While a foreign reader blocks the rewriting nothing is claimed; housekeeping finishes it when the way is free."""
    states, readable, kinds = asyncio.run(_key_store_fails(kit))

    assert states == [State.PLANNED]
    assert readable is False
    assert kinds == ["erasure.requested", "erasure.executed"]
