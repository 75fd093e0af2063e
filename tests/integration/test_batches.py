"""Batches at the authority: one record each, canonical, counted once over restarts, read back by everyone."""

import asyncio
import contextlib
import json

import pytest

from sealgate.authority import replay
from sealgate.encoding import canonical
from sealgate.model.errors import EncodingError, InputError, JournalError, NotPermittedError
from sealgate.model.evaluation import Identity
from sealgate.verifier.record import check_body

COLLECTOR = Identity("collector", "unix_peer", frozenset({"*"}), frozenset({"collect"}))
ITEM = json.dumps({"kind": "event.logged", "note": 'quotes " and \\ and ü and \u2028'})


def batch(batch_id="b1", *, count=3, **more):
    """One batch as the collector sends it."""
    made = {
        "batch_id": batch_id,
        "agent": "a1",
        "principal": "billing",
        "proof": "mutual_tls",
        "coverage": "captured",
        "retention_class": "default",
        "subject": None,
        "region": None,
        "environment": None,
        "items": [ITEM] * count,
    }
    return made | more


def request(*batches):
    """The request's bytes."""
    return json.dumps({"batches": list(batches)}, separators=(",", ":"), ensure_ascii=False).encode()


@contextlib.asynccontextmanager
async def running(kit):
    """A started authority."""
    authority = await kit.started()
    try:
        yield authority
    finally:
        await authority.stop()


def test_a_batch_is_one_record_in_canonical_form(kit):
    """The body that was made in two halves is what the one encoder would write; the verifier takes it."""

    async def run():
        async with running(kit) as authority:
            answer = await authority.record_batches(request(batch(count=512), batch("b2", agent=None)), COLLECTOR)
            first, second = answer.recorded
            stored = kit.reader.read(first.receipt.index)
            body = stored.content()
            assert canonical.encode(body, max_bytes=1 << 20) == stored.body
            assert check_body(stored.body)["record_id"] == first.record_id == stored.record_id()
            assert (body["kind"], body["count"], body["items"]) == ("records.captured", 512, [ITEM] * 512)
            assert body["agent"] == {"id": "a1", "principal": "billing", "proof": "mutual_tls", "on_behalf_of": []}
            assert (body["region"], body["environment"], body["producer"]["seq"]) == ("eu", "test", 2)
            assert kit.reader.read(second.receipt.index).content()["agent"] is None
            assert kit.reader.find(first.record_id).index == first.receipt.index

    asyncio.run(run())


def test_a_small_batch_may_be_compressed_and_is_not_taken_for_a_decision(kit):
    """Decisions and batches beside each other: every record is found by its id."""

    async def run():
        async with running(kit) as authority:
            for number in range(20):
                await authority.record_batches(request(batch(f"b{number}", count=1)), COLLECTOR)
            for index in range(kit.journal.size):
                record_id = kit.reader.read(index).record_id()
                assert kit.reader.find(record_id).index == index

    asyncio.run(run())


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_batch_counts_once_also_after_a_restart(kit, snapshot):
    """The same id again: the first answer, no new record; with the snapshot and without it."""

    async def run():
        async with running(kit) as authority:
            first = await authority.record_batches(request(batch()), COLLECTOR)
            together = await asyncio.gather(
                *(authority.record_batches(request(batch("b2")), COLLECTOR) for _ in "1234")
            )
            assert all(answer == together[0] for answer in together)
        size = kit.journal.size
        if not snapshot:
            (kit.folder / "snapshot").unlink()
        async with running(kit) as authority:
            assert await authority.record_batches(request(batch()), COLLECTOR) == first
            assert kit.journal.size == size
            assert await authority.record_batches(request(batch(principal="other")), COLLECTOR) != first
            assert kit.journal.size == size + 1

    asyncio.run(run())


def test_a_start_does_not_read_all_batches_again(kit, monkeypatch):
    """Batches below the snapshot are known from it; of the records before it no more bytes are read than is bounded."""
    monkeypatch.setattr(replay, "RENEW_BYTES", 1)
    monkeypatch.setattr(replay, "_BLOCK", 2)
    opened = []

    async def run():
        async with running(kit) as authority:
            for number in range(6):
                await authority.record_batches(request(batch(f"b{number}")), COLLECTOR)
        authority = kit.build()
        real = kit.reader.open
        monkeypatch.setattr(kit.reader, "open", lambda index, record: opened.append(index) or real(index, record))
        await authority.start()
        await authority.stop()

    asyncio.run(run())

    assert not set(opened) & set(range(2, 6))
    assert kit.journal.size == 8


def test_an_id_used_for_another_batch_is_refused(kit):
    """Nothing is swallowed: the sender hears of it. The first batch stays."""

    async def run():
        async with running(kit) as authority:
            await authority.record_batches(request(batch()), COLLECTOR)
            with pytest.raises(NotPermittedError) as refused:
                await authority.record_batches(request(batch(count=4)), COLLECTOR)
            assert refused.value.code == "request-id-reused"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"{", EncodingError),
        (request(batch()).replace(b'"count"', b'"count"')[:-1] + b',"batches":[]}', EncodingError),
        (request(batch(items=[])), InputError),
        (request(batch(items=[ITEM] * 513)), InputError),
        (request(batch(items=["x" * 32769])), InputError),
        (request(batch(items=["x" * 32000] * 40)), EncodingError),
        (request(batch(items=[1])), InputError),
        (request(batch(extra=1)), InputError),
        (request(batch(subject="")), InputError),
        (request(batch(subject="a/b")), InputError),
        (request(batch(retention_class="a/b")), InputError),
        (request(batch(coverage="enforced")), InputError),
        (request(batch(batch_id="")), InputError),
    ],
)
def test_what_is_no_batch_is_refused_whole(kit, body, error):
    """Nothing of such a request is recorded; a good one is."""

    async def run():
        async with running(kit) as authority:
            size = kit.journal.size
            with pytest.raises(error):
                await authority.record_batches(body, COLLECTOR)
            assert kit.journal.size == size
            await authority.record_batches(request(batch()), COLLECTOR)
            assert kit.journal.size == size + 1

    asyncio.run(run())


def test_a_collector_speaks_only_for_its_agents(kit):
    """One that may speak for `a2` alone hands in nothing of `a1`, and nothing of several agents."""
    bounded = Identity("collector", "api_key", frozenset({"a2"}), frozenset({"collect"}))

    async def run():
        async with running(kit) as authority:
            for agent in ("a1", None):
                with pytest.raises(NotPermittedError):
                    await authority.record_batches(request(batch(agent=agent)), bounded)
            await authority.record_batches(request(batch(agent="a2")), bounded)

    asyncio.run(run())


def test_items_of_a_person_are_under_a_key_of_their_own(kit):
    """Destroying it leaves the other batch readable."""

    async def run():
        async with running(kit) as authority:
            answer = await authority.record_batches(request(batch(), batch("b2", subject="sub_x")), COLLECTOR)
            other, own = (kit.reader.read(each.receipt.index) for each in answer.recorded)
            assert other.body
            assert own.body
            records = dict(kit.journal.read(0))
            keys = {records[each.index].sealed_body[1:17] for each in (other, own)}
            assert len(keys) == 2

    asyncio.run(run())


def test_what_could_not_be_recorded_can_be_sent_again(kit):
    """The journal fails: an error, nothing remembered; after healing the same batch is recorded, and the gap is."""

    async def run():
        async with running(kit) as authority:
            real = kit.journal._writer.put
            kit.journal._writer.put = _fails
            with pytest.raises(JournalError):
                await authority.record_batches(request(batch()), COLLECTOR)
            kit.journal._writer.put = real
            await kit.until(lambda: kit.journal.failure is None)
            answer = await authority.record_batches(request(batch()), COLLECTOR)
            assert kit.reader.read(answer.recorded[0].receipt.index).content()["batch_id"] == "b1"
            await kit.until(lambda: any(body["kind"] == "capture.gap" for body in kit.bodies()))

    asyncio.run(run())


def _fails(records):
    raise OSError(5, "Input/output error")
