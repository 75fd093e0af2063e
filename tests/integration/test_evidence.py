"""The evidence service over a real authority: what is asked, what proves it, what a crash and an erasure leave."""

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
import zipfile

import msgspec
import pytest
from pyarrow import parquet

from sealgate.adapters.evidence import service
from sealgate.adapters.evidence.service import Bounds, Places
from sealgate.adapters.keys.file import FileWrappingKey
from sealgate.evidence.answers import Filter
from sealgate.model.errors import AlteredError, ConfigurationError, InputError, UnavailableError
from sealgate.model.evaluation import CaptureRequest, OutcomeRequest
from sealgate.proofs import notes, trust
from tests.integration.conftest import CALLER, ORIGIN, question

TRACEPARENT = "00-" + "ab" * 16 + "-" + "12" * 8 + "-01"
SECRET = "plaintext-that-must-not-lie-on-disk"


def places(kit):
    """Where the kit keeps what the evidence service reads."""
    trusted = trust.Trust(
        origin=ORIGIN,
        log=notes.VerifierKey(ORIGIN, notes.ED25519, kit.log_signer.public_key),
        root_key=kit.root.public_key,
        receipt_key=kit.receipt_signer.public_key,
        statement_keys=(trust.StatementKey(service_key(kit), 0),),
    )
    path = kit.folder / "trust.json"
    path.write_bytes(trust.encode(trusted))
    return Places(kit.folder / "journal", kit.folder / "log", kit.folder / "datakeys.db", path, kit.folder / "evidence")


def service_key(kit):
    """The statement key of the kit."""
    from sealgate.adapters.keys.file import FileSigner

    return FileSigner(kit.seed).public_key


def opened(kit, **bounds):
    """Open the evidence service of a kit."""
    return service.open_service(places(kit), FileWrappingKey(kit.kek), Bounds(**bounds))


def captured(kind, data, span, **more):
    """A captured record of the task."""
    traceparent = TRACEPARENT[:36] + span + "-01"
    return CaptureRequest(kind=kind, agent="a1", task_id="task-1", traceparent=traceparent, data=data, **more)


async def story(authority):
    """One task: a session, reasoning, a permitted call with its outcome, a denied one, a silent one."""
    await authority.capture(captured("session.started", {"goal": f"pay bob {SECRET}"}, "01" * 8), CALLER)
    reasoning = captured("reasoning", {"rationale": "bob is owed"}, "02" * 8, parent_span_id="01" * 8)
    await authority.capture(reasoning, CALLER)
    asked = question(redeem=True)
    plain = msgspec.to_builtins(asked)
    plain["context"] |= {"task": {"id": "task-1"}, "traceparent": TRACEPARENT}
    asked = msgspec.convert(plain, type(asked))
    permitted = await authority.evaluate(asked, CALLER, None)
    report = OutcomeRequest(
        decision_id=permitted.context.record_id,
        status="succeeded",
        output_sha256="00" * 32,
        output_size_bytes=7,
        duration_ms=3,
        error=None,
        request_id=None,
    )
    await authority.report_outcome(report, CALLER)
    denied = await authority.evaluate(question(to="mallory", amount=5), CALLER, None)
    silent = await authority.evaluate(question(amount=500, to="bob"), CALLER, None)
    return permitted.context.record_id, denied.context.record_id, silent.context.record_id


async def published(kit, authority):
    """Wait until the log has all records, then stop."""
    await kit.until((kit.folder / "log" / "checkpoint").exists)
    size = kit.journal.size
    await kit.until(lambda: int((kit.folder / "log" / "checkpoint").read_text().split("\n")[1]) >= size)
    await authority.stop()


@pytest.fixture(name="told")
def _told(kit):
    """A kit whose authority has told the story; the ids of its decisions."""

    async def run():
        authority = await kit.started()
        ids = await story(authority)
        await published(kit, authority)
        return ids

    return kit, asyncio.run(run())


def test_trace_is_the_decision_chain_as_a_tree(told):
    """A task is a tree: session, reasoning below it, the decision with its authorization, its outcome below that."""
    kit, (permitted, *_) = told
    evidence = opened(kit)
    assert evidence.consumer.step() > 0
    trace = evidence.queries.trace("task-1")
    assert [root.kind for root in trace.roots] == ["session.started"]
    flat = {}
    stack = list(trace.roots)
    while stack:
        node = stack.pop()
        flat[node.kind] = node
        stack += node.children
    assert set(flat) == {"session.started", "reasoning", "decision", "outcome"}
    decision = flat["decision"]
    assert decision.record_id == permitted
    assert decision.authorization.decision == "PERMIT"
    assert decision.authorization.policies
    assert decision.proof_state == "included"
    assert [child.kind for child in decision.children] == ["outcome"]
    assert evidence.queries.trace(permitted).rows == trace.rows
    assert evidence.queries.trace("ab" * 16).rows == trace.rows
    with pytest.raises(InputError, match="nothing is known"):
        evidence.queries.trace("task-2")
    evidence.close()


def test_search_explain_and_status_answer_about_real_decisions(told):
    """Filters find the right decisions, and an explanation says why and what would have to change."""
    kit, (permitted, denied, silent) = told
    evidence = opened(kit)
    evidence.consumer.step()
    queries = evidence.queries
    assert [row.id for row in queries.search(Filter(outcome="DENY")).rows] == [denied]
    assert [row.id for row in queries.search(Filter(policy="never-mallory")).rows] == [denied]
    assert [row.kind for row in queries.search(Filter(text="BOB IS OWED")).rows] == ["reasoning"]
    assert queries.search(Filter(text="nobody said that")).rows == []
    counts = {row[0]: row[1] for row in queries.aggregate(Filter(kind="decision"), group_by=("outcome",)).rows}
    assert counts == {"PERMIT": 1, "DENY": 1, "SILENCE": 1}
    text = "\n".join(queries.explain(denied).text)
    assert "DENY" in text
    assert "`never-mallory` would have to stop forbidding this" in text
    assert "did not run" in text
    assert "a policy would have to allow" in "\n".join(queries.explain(silent).text)
    assert "outcome: succeeded" in "\n".join(queries.explain(permitted).text)
    status = queries.status()
    assert (status.behind_records, status.projected) == (0, status.journal_size)
    evidence.close()


def test_bundle_verifies_and_other_bodies_are_not_in_it(told, tmp_path):
    """An exported bundle passes `sealgate-verify`; without the right key it does not."""
    kit, (permitted, denied, _) = told
    evidence = opened(kit)
    evidence.consumer.step()
    target = tmp_path / "evidence.zip"
    with target.open("xb+") as file:
        assert evidence.queries.export(Filter(task_id="task-1"), format="bundle", file=file) > 0
    with zipfile.ZipFile(target) as archive:
        archive.extractall(tmp_path / "out")
    command = [sys.executable, "-m", "sealgate.verifier", "log", str(tmp_path / "out" / "log"), "--json"]
    verified = subprocess.run([*command, "--trust", str(kit.folder / "trust.json")], capture_output=True, check=False)
    assert verified.returncode == 0, verified.stdout
    alone = subprocess.run(command, capture_output=True, check=False)
    assert json.loads(alone.stdout)["verdict"] != "verified"
    bodies = b"".join(path.read_bytes() for path in (tmp_path / "out" / "log" / "body").rglob("*") if path.is_file())
    assert permitted.encode() in bodies
    assert denied.encode() not in bodies
    evidence.close()


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_exports_hold_every_row_and_nothing_that_they_shall_be_without(told, form):
    """Each form has every row once with all members, or without those named; a bundle cannot be without any."""
    kit, _ = told
    evidence = opened(kit)
    evidence.consumer.step()
    whole, part = (io.BytesIO() for _ in range(2))
    count = evidence.queries.export(Filter(), format=form, file=whole)
    assert evidence.queries.export(Filter(), format=form, file=part, without=frozenset({"text", "reason"})) == count
    rows, shown = _rows(form, whole), _rows(form, part)
    assert count == evidence.queries.aggregate(Filter()).rows[0][0] == len({row["id"] for row in rows})
    assert any(row.get("text") for row in rows)
    assert any(row.get("reason") for row in rows)
    assert shown == [{name: value for name, value in row.items() if name not in {"text", "reason"}} for row in rows]
    with pytest.raises(InputError, match="whole records"):
        evidence.queries.export(Filter(), format="bundle", file=part, without=frozenset({"text"}))
    evidence.close()


def _rows(form, file):
    """Return the rows of an export."""
    file.seek(0)
    if form == "parquet":
        return parquet.read_table(file).to_pylist()
    lines = file.read().decode().splitlines()
    return list(csv.DictReader(lines)) if form == "csv" else [json.loads(line) for line in lines]


def test_nothing_of_the_store_is_readable_on_disk(told):
    """No file of the store has known plaintext, hot or warm, open or closed; the positive control is the answer."""
    kit, _ = told
    evidence = opened(kit)
    evidence.consumer.step()
    known = [SECRET.encode(), b"never-mallory", b"task-1", b"reasoning"]

    def search():
        found = [path for path in (kit.folder / "evidence").rglob("*") if path.is_file()]
        assert found
        return [path.name for path in found for text in known if text in path.read_bytes()]

    assert search() == []
    assert evidence.store.roll(everything=True) == 1
    assert search() == []
    assert evidence.queries.search(Filter(text=SECRET)).rows
    evidence.close()
    assert search() == []


def test_rebuild_gives_the_same_rows_and_takes_the_place_of_the_store(told):
    """A second store from the journal equals the first, whatever was rolled over; the service must be stopped."""
    kit, _ = told
    evidence = opened(kit)
    evidence.consumer.step()
    evidence.store.roll(everything=True)
    with pytest.raises(ConfigurationError, match="another process owns"):
        service.rebuild(places(kit), FileWrappingKey(kit.kek))
    evidence.close()
    done = service.rebuild(places(kit), FileWrappingKey(kit.kek))
    assert done.same
    assert done.before.rows == done.after.rows > 5
    again = opened(kit)
    assert again.store.next_index == done.next_index
    assert again.store.counts()[1] == 0  # it is the new one: nothing rolled over yet
    again.close()


def test_rebuild_tells_a_store_that_differs(told):
    """A row that was taken out of the store shows in the comparison."""
    kit, (_, denied, _) = told
    evidence = opened(kit)
    evidence.consumer.step()
    store = evidence.store
    store._engine.execute(f"DELETE FROM {store.database}.rows WHERE id = CAST(? AS UUID)", [denied])
    evidence.close()
    done = service.rebuild(places(kit), FileWrappingKey(kit.kek), swap=False)
    assert not done.same
    assert len(done.differing) == 1
    assert done.after.rows == done.before.rows + 1


def test_another_wrapping_key_does_not_open_the_store(told):
    """The store's key is wrapped: a wrong key-encryption key is refused, the right one opens it."""
    kit, _ = told
    opened(kit).close()
    with pytest.raises(AlteredError):
        service.open_service(places(kit), FileWrappingKey(os.urandom(32)))
    opened(kit).close()


def test_a_failure_between_two_records_loses_none(told, monkeypatch):
    """The keys cannot be read for a moment in the middle of a batch: all of it is read again, and told of only then."""
    kit, _ = told
    evidence = opened(kit)
    real = evidence.records.read

    def fail(start, stop):
        for opened_record in real(start, stop):
            if opened_record.index == 3:
                raise UnavailableError("the key store cannot be used now")
            yield opened_record

    monkeypatch.setattr(type(evidence.records), "read", lambda _self, start, stop: fail(start, stop))
    with pytest.raises(UnavailableError):
        evidence.consumer.step()
    assert (evidence.store.next_index, evidence.consumer.status().projected) == (0, 0)
    monkeypatch.undo()

    published = evidence.records.published()
    assert evidence.consumer.step() == published > 4
    found = {row.index for row in evidence.queries.search(Filter(), limit=100).rows}
    evidence.close()
    assert {0, 1, 2, 3} <= found


def test_only_published_records_are_followed(told):
    """A checkpoint that is not the log's is refused; with the right one the records come."""
    kit, _ = told
    evidence = opened(kit)
    path = kit.folder / "log" / "checkpoint"
    good = path.read_bytes()
    lines = good.decode().split("\n")
    lines[1] = str(int(lines[1]) + 1)
    path.write_text("\n".join(lines))
    with pytest.raises(AlteredError):
        evidence.consumer.step()
    assert evidence.store.next_index == 0
    path.write_bytes(good)
    assert evidence.consumer.step() > 0
    evidence.close()
