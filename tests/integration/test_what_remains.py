"""What stays verifiable at each stage of a record's life: one test for each row of the explanation's table."""

import asyncio
from pathlib import Path

import pytest

from bench import retained
from bench.ledger_world import ORIGIN, SeedSigner
from sealgate.adapters.stores.directory import DirectoryLog
from sealgate.ledger import shards
from sealgate.ledger.export import export
from sealgate.ledger.fsck import fsck
from sealgate.model.records import Kind
from sealgate.proofs.notes import ED25519, VerifierKey
from sealgate.retention.classes import Classes, Rule
from sealgate.retention.terms import DAY_MS, Terms
from sealgate.verifier.log import LogOptions, verify_log
from sealgate.verifier.receipt import Extras, verify_receipt

CLASSES = Classes([Rule("default", Terms()), Rule("short", Terms(0, 2, 5), kinds=(Kind.EVENT_LOGGED.value,))])
DATA = {"data_json": '{"note":"hello"}', "claimed": True}
COUNT = 700
SUBJECT = "sub_" + "a" * 26
OTHER = "sub_" + "b" * 26


class Life:
    """One log, brought from stage to stage, with one receipt given to a third hand at its start."""

    def __init__(self, folder: Path, world: retained.World) -> None:
        self.folder, self.world = folder, world
        self.exports = 0

    async def fill(self) -> None:
        """Record; the last 300 records stay (class default), so that what goes is not the log's edge."""
        for n in range(COUNT):
            kind = Kind.EVENT_LOGGED if n < COUNT - 300 else Kind.SESSION_STARTED
            subject = (SUBJECT if n % 10 == 0 else OTHER if n % 10 == 1 else None) if n >= COUNT - 300 else None
            pending = self.world.record(kind, dict(DATA), subject=subject)
            await pending
        self.world.ledger.step()
        stored = self.world.reader.read(11)
        self.body, self.receipt = stored.body, self.world.ledger.tlog_proof(11, stored.statement)

    async def after(self, days: int) -> dict:
        """Let the days pass and run retention."""
        self.world.clock.now_ms = retained.START_MS + days * DAY_MS
        done = await self.world.retention.run()
        self.world.ledger.step()
        return done

    def verify(self, *, start: int = 0, bodies: bool = True):
        """Export as an auditor gets it, and verify."""
        self.exports += 1
        out = self.folder / f"export-{self.exports}"
        reader = self.world.reader
        export(
            DirectoryLog(self.folder / "log"),
            DirectoryLog(out),
            start=start,
            bodies=(lambda low, high: [reader.read(index).body for index in range(low, high)]) if bodies else None,
        )
        return verify_log(out, retained.trust_file(), LogOptions(start=start))

    def verify_live(self, start: int):
        """Verify the public directory as it lies there."""
        return verify_log(self.folder / "log", retained.trust_file(), LogOptions(start=start))

    def held_copies(self):
        """Verify what the third hand has: the receipt, alone and with its body."""
        trust = retained.trust_file()
        return [
            verify_receipt(self.receipt, trust).verdict,
            verify_receipt(self.receipt, trust, Extras(body=self.body)).verdict,
        ]

    def absent(self) -> int:
        """How many bodies cannot be read."""
        reader = self.world.reader
        return sum(reader.read(index).body is None for index in range(reader.size))


@pytest.fixture(name="stage")
def _stage(tmp_path: Path):
    """Run a coroutine on a filled life."""

    def run(scenario, **options):
        async def live():
            retained.make(tmp_path)
            clock = retained.SetClock()
            world = await retained.open_world(tmp_path, CLASSES, clock, segment_bytes=100_000, **options)
            life = Life(tmp_path, world)
            await life.fill()
            try:
                return await scenario(life)
            finally:
                world.close()

        return asyncio.run(live())

    return run


def test_live_everything_is_verified(stage):
    """Order, signer, bodies; also out of archived segments and deflated bundles."""

    async def scenario(life):
        fresh = life.verify()
        await life.world.retention.compact()
        files = [path for path in (life.folder / "log" / "stmt").iterdir() if path.is_file()]
        packed = [path for path in files if path.read_bytes()[:1] == b"\x78"]
        return fresh, life.verify(), verify_log(life.folder / "log", retained.trust_file(), LogOptions()), packed

    fresh, archived, live, packed = stage(scenario)
    assert (fresh.verdict, archived.verdict, live.verdict) == ("verified", "verified", "verified")
    assert packed


def test_subject_erased_only_that_subjects_values_are_lost(stage):
    """Leaf, statement, all other bodies and third-party receipts verify; also when it was archived before."""

    async def scenario(life):
        await life.world.retention.compact()
        before = life.absent()
        keys = life.world.data_keys
        keys.destroy_many([fact.key_id for fact in keys.facts(f"default/{SUBJECT}/")])
        return before, life.absent(), life.verify(), life.held_copies()

    before, after, report, held = stage(scenario)
    assert (before, after) == (0, 30)
    assert report.verdict == "verified"
    assert held == ["verified", "verified"]


def test_body_expired_who_what_when_remain(stage):
    """Statements verify, a held copy of a body still matches, the content is gone at our side."""

    async def scenario(life):
        done = await life.after(3)
        return done, life.absent(), life.verify(), life.held_copies(), life.world.reader.read(11)

    done, absent, report, held, stored = stage(scenario)
    assert (done["bodies"], absent) == (400, 400)
    assert report.verdict == "verified"
    assert held == ["verified", "verified"]
    assert stored.body is None
    assert stored.statement


def test_statements_expired_order_and_given_receipts_remain(stage):
    """Position, count and root verify, with the expiry records as excuse; without these records it is a gap."""

    async def scenario(life):
        await life.after(3)
        done = await life.after(6)
        unexcused = life.verify(bodies=False)
        index = COUNT - 5
        late = life.world.ledger.tlog_proof(index, life.world.reader.read(index).statement)
        return done, life.verify(), unexcused, life.held_copies(), verify_receipt(late, retained.trust_file())

    done, report, unexcused, held, late = stage(scenario)
    assert done["statements"] == 400
    assert report.verdict == "verified", report.reason
    assert unexcused.verdict == "gap"
    assert held == ["verified", "verified"]
    assert late.verdict == "verified"


def test_shard_pruned_receipts_and_the_chain_to_the_successor_remain(stage):
    """What was given away verifies, the rest of the log too, and the successor names the last checkpoint."""

    async def scenario(life):
        await life.after(3)
        done = await life.after(6)
        whole, rest = life.verify_live(0), life.verify(start=256)
        checked = fsck(DirectoryLog(life.folder / "log"), statements_expected=False)
        assert checked.size == life.world.ledger.size()
        minimum = (life.folder / "log" / "minimum-index").read_text()
        closing = await life.world.record(
            Kind.SHARD_CLOSE, {"next_origin": "ledger.example.com/acme/2027h1"}, retention_class="ledger"
        )
        text = shards.close(life.world.ledger, closing.index)
        key = VerifierKey(ORIGIN, ED25519, SeedSigner("log").public_key)
        head = shards.require_successor(text, key, close_index=closing.index)
        return done, whole, rest, minimum, life.held_copies(), head.size, closing.index

    done, whole, rest, minimum, held, size, closing = stage(scenario, prune=True)
    assert done["pruned_below"] == 256
    assert minimum == "256\n"
    assert whole.verdict == "not_proven"
    assert rest.verdict == "verified"
    assert held == ["verified", "verified"]
    assert size == closing + 1
