"""A change of keys over a real journal: prepared offline, recorded online, provable afterwards, safe in a crash."""

import asyncio
import time
from pathlib import Path

import pytest

from sealgate.adapters import configuration, installation
from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.keys import file, passphrase, rotation
from sealgate.adapters.keys.datakeys import SqliteDataKeys
from sealgate.adapters.keys.envelope import Purpose
from sealgate.adapters.keys.keyring import Keyring
from sealgate.adapters.keys.rotation import RotationFiles
from sealgate.authority.key_rotation import record_event, rotate
from sealgate.authority.reader import Reader
from sealgate.authority.recorder import Place, Recorder
from sealgate.authority.timekeeping import Timekeeper
from sealgate.cli.init import create_stores
from sealgate.encoding import statement
from sealgate.model.errors import InputError
from sealgate.model.evaluation import Identity
from sealgate.model.records import Kind
from sealgate.proofs import trust
from sealgate.proofs.key_events import REVOKED, KeyHistory
from sealgate.proofs.keys import is_signed

ORIGIN = "log.example/2026h2"
CALLER = Identity(principal="op", proof="unix_peer")


class _Clock:
    def unix_ms(self):
        return time.time_ns() // 1_000_000

    def monotonic_s(self):
        return time.monotonic()


async def _rotate(recorder, rotations):
    return await rotate(recorder, rotations, CALLER)


class _Crashed(Exception):  # noqa: N818  # it stands for a death, not for an error
    """The process died here."""


class Kit:
    """One authority's keys and journal; each ``session`` is one life of the process."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "gate"
        plan = installation.Plan(origin=ORIGIN, authority_id="a1", operator_uid=0, created="2026-11-21T00:00:00.000Z")
        installation.create(self.data, plan, extra=create_stores)
        self.configuration = configuration.load(self.data / "sealgate.toml", {})

    def root(self):
        """The root key, as where it is kept offline."""
        folder = self.data / "keys"
        return file.open_signer(folder / "root.key", passphrase.read(f"file:{folder / 'root-unlock'}"), Purpose.ROOT)

    def prepare(self, **options):
        """What ``sealgate keys rotate`` does."""
        ring = Keyring.of(self.configuration)
        change = rotation.new_statement_key(ring, origin=ORIGIN, created="now", sign=self.root().sign, **options)
        RotationFiles(ring, self.data).prepare(change)

    def session(self, work):
        """Run ``work(recorder, rotations)`` in an authority that starts with the key in use."""

        async def live():
            ring = Keyring.of(self.configuration)
            keys = ring.open()
            loop = asyncio.get_running_loop()
            journal = FileJournal(self.data / "journal", ORIGIN, deliver=loop.call_soon_threadsafe)
            data_keys = SqliteDataKeys(self.data / "data-keys.db", keys.wrapping)
            place = Place(ORIGIN, "a1", "eu", "test", "default")
            recorder = Recorder(
                place=place, journal=journal, signer=keys.statement, data_keys=data_keys, time=Timekeeper(_Clock())
            )
            try:
                if journal.size == 0:
                    await record_event(recorder, ring.genesis())
                return await work(recorder, RotationFiles(ring, self.data))
            finally:
                journal.close()
                data_keys.close()

        return asyncio.run(live())

    def verify(self):
        """Check every statement's signature with the keys that the log's own events allow; return the history."""
        keys = Keyring.of(self.configuration).open()
        pinned = trust.parse((self.data / "trust.json").read_bytes())
        data_keys = SqliteDataKeys(self.data / "data-keys.db", keys.wrapping)
        with FileJournal(self.data / "journal", ORIGIN) as journal:
            reader = Reader(journal=journal, data_keys=data_keys, origin=ORIGIN)
            records = [reader.open(index, record) for index, record in journal.read(0)]
        data_keys.close()
        history = KeyHistory.from_genesis(records[0].content(), root_key=pinned.root_key, origin=ORIGIN)
        for record in records:
            history = history.apply(record.index, record.content()) if record.index else history
            parsed = statement.parse(record.statement)
            key = history.key(parsed.claims.kid, record.index)

            assert key is not None, f"record {record.index} is signed by a key that may not sign there"
            assert is_signed(key.public_key, parsed.signing_input, parsed.signature)
            assert pinned.statement_key(parsed.claims.kid, record.index), f"trust.json does not cover {record.index}"
        return history


@pytest.fixture(name="kit")
def _kit(tmp_path):
    """A new authority."""
    return Kit(tmp_path)


async def _event(recorder, _rotations=None):
    draft = recorder.draft(Kind.EVENT_LOGGED)
    draft.fields |= {"data_json": "{}", "claimed": True}
    return await recorder.record(draft)


def test_a_rotation_under_load_is_provable(kit):
    """While records are made all the time, every one is signed by a key that the log allows at its index."""

    async def work(recorder, rotations):
        stop = asyncio.Event()

        async def load():
            while not stop.is_set():
                await _event(recorder)

        loads = [asyncio.create_task(load()) for _ in range(8)]
        await asyncio.sleep(0.05)
        receipt = await rotate(recorder, rotations, CALLER)
        await asyncio.sleep(0.05)
        stop.set()
        await asyncio.gather(*loads)
        return receipt

    kit.prepare()
    receipt = kit.session(work)
    history = kit.verify()

    first, second = history.statement_keys()
    assert first.to_index == receipt.index
    assert second.from_index < receipt.index
    assert trust.parse((kit.data / "trust.json").read_bytes()).statement_keys == (first, second)
    assert not (kit.data / "keys" / "rotation.json").exists()
    kit.session(_event)
    kit.verify()


def test_nothing_prepared_nothing_changed(kit):
    """A request to rotate without a prepared change is refused."""
    with pytest.raises(InputError, match="no change of keys is prepared"):
        kit.session(_rotate)
    kit.session(_event)
    kit.verify()


@pytest.mark.parametrize("step", ["note added", "switch before", "switch after", "note retired", "finish"])
def test_a_crash_in_a_rotation_is_finished_by_repeating_it(kit, step, monkeypatch):
    """Dead at any step: the authority starts with a key that the log allows, and the change can be completed."""
    real_note, real_switch = RotationFiles.note, RotationFiles.switch

    def note(self, event, index):
        if step == f"note {str(event['kind']).removeprefix('key.')}":
            raise _Crashed
        real_note(self, event, index)

    def switch(self):
        if step == "switch before":
            raise _Crashed
        signer = real_switch(self)
        if step == "switch after":
            raise _Crashed
        return signer

    def finish(self):
        raise _Crashed

    async def dies(recorder, rotations):
        await rotate(recorder, rotations, CALLER)

    kit.session(_event)
    kit.prepare()
    with monkeypatch.context() as patch:
        patch.setattr(RotationFiles, "note", note)
        patch.setattr(RotationFiles, "switch", switch)
        if step == "finish":
            patch.setattr(RotationFiles, "finish", finish)
        with pytest.raises(_Crashed):
            kit.session(dies)
    kit.session(_event)
    kit.session(_rotate)
    kit.session(_event)
    history = kit.verify()

    assert [key.to_index is None for key in history.statement_keys()] == [False, True]


def test_a_revoked_key_in_use_is_replaced(kit):
    """Revoking the key in use brings in a new one; what the old one signed before stays valid."""
    kit.session(_event)
    kit.prepare(ended_kind=REVOKED)
    kit.session(_rotate)
    kit.session(_event)
    history = kit.verify()

    assert [period.revoked for period in history.periods if period.purpose == "statement"] == [True, False]


def test_two_rotations(kit):
    """Keys follow each other without end."""
    for _ in range(2):
        kit.prepare()
        kit.session(_rotate)
        kit.session(_event)

    assert len(kit.verify().statement_keys()) == 3
