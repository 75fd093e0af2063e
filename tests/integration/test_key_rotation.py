"""A change of keys over a real journal: prepared offline, recorded online, provable afterwards, safe in a crash."""

import asyncio
import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from sealgate.adapters import configuration, installation
from sealgate.adapters.evidence import keyfile
from sealgate.adapters.evidence.service import STORE, Places, open_service
from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.keys import file, passphrase, rewrapping, rotation
from sealgate.adapters.keys.datakeys import SqliteDataKeys
from sealgate.adapters.keys.envelope import Purpose
from sealgate.adapters.keys.keyring import Keyring
from sealgate.adapters.keys.rotation import RotationFiles
from sealgate.adapters.signing.process import ProcessSigning
from sealgate.adapters.stores.directory import DirectoryLog, DirectoryStaging
from sealgate.adapters.stores.lock_sqlite import SqliteLock
from sealgate.authority.drafts import Place
from sealgate.authority.key_rotation import record_event, record_secrets, rotate
from sealgate.authority.permits import PermitMac
from sealgate.authority.reader import Reader
from sealgate.authority.recorder import Recorder
from sealgate.authority.timekeeping import Timekeeper
from sealgate.cli._key_changes import change_wrapping
from sealgate.cli.init import create_stores
from sealgate.encoding import statement
from sealgate.ledger.log import Keys, Ledger
from sealgate.ledger.recovery import Stores
from sealgate.model.errors import AlteredError, ConfigurationError, InputError
from sealgate.model.evaluation import Identity
from sealgate.model.records import Kind
from sealgate.proofs import trust
from sealgate.proofs.key_events import RETIRED, REVOKED, KeyHistory
from sealgate.proofs.keys import is_signed
from sealgate.verifier.receipt import verify_receipt

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

    def prepare(self, purpose=Purpose.STATEMENT, **options):
        """What ``sealgate keys rotate`` does."""
        ring = Keyring.of(self.configuration)
        change = rotation.new_key(ring, purpose, origin=ORIGIN, created="now", sign=self.root().sign, **options)
        RotationFiles(ring, self.data).prepare(change)

    def session(self, work, signing=None):
        """Run ``work(recorder, rotations)`` in an authority that starts with the key in use."""

        async def live():
            ring = Keyring.of(self.configuration)
            keys = ring.open()
            loop = asyncio.get_running_loop()
            journal = FileJournal(self.data / "journal", ORIGIN, deliver=loop.call_soon_threadsafe)
            data_keys = SqliteDataKeys(self.data / "data-keys.db", keys.wrapping)
            place = Place(ORIGIN, "a1", "eu", "test", "default")
            recorder = Recorder(
                place=place,
                journal=journal,
                signer=keys.statement,
                data_keys=data_keys,
                time=Timekeeper(_Clock()),
                signing=signing,
            )
            try:
                if journal.size == 0:
                    await record_event(recorder, ring.genesis())
                return await work(recorder, RotationFiles(ring, self.data))
            finally:
                recorder.close()
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


def test_a_rotation_while_another_process_signs_is_provable(kit):
    """Records under way at the change are signed by the old key, later ones by the new, in that process too."""
    signing = ProcessSigning(busy=2)
    groups = []

    def signed_there():
        """Return the keys with which groups were given to the other process."""
        return {kid for kid, count, asked in groups if asked and count > 1}

    async def work(recorder, rotations):
        ask, busy = signing.ask, signing.busy

        def count(inputs, answered):
            asked = ask(inputs, answered)
            groups.append((recorder._sealing.signer.key_id, len(inputs), asked))
            return asked

        signing.ask = count
        stop = asyncio.Event()

        async def load():
            while not stop.is_set():
                await _event(recorder)

        async with asyncio.timeout(90):
            while not busy(99):  # noqa: ASYNC110  # another process starts
                await asyncio.sleep(0.01)
            loads = [asyncio.create_task(load()) for _ in range(32)]
            while len(signed_there()) < 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await rotate(recorder, rotations, CALLER)
            while len(signed_there()) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*loads)

    kit.session(_event)
    kit.prepare()
    kit.session(work, signing)
    first, second = kit.verify().statement_keys()

    assert signed_there() == {first.kid, second.kid}


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


# -- receipt keys ----------------------------------------------------------------------------------------------------


def _signs_receipts(kit, work):
    """Run ``work(log, change)`` in an authority with a log: ``change`` is what ``keys apply`` does."""

    async def live(recorder, rotations):
        keys = Keyring.of(kit.configuration).open()
        lock = SqliteLock(kit.data / "lock.db", ORIGIN)
        stores = Stores(recorder._journal, DirectoryLog(kit.data / "log"), DirectoryStaging(kit.data / "staging"), lock)
        log = Ledger(ORIGIN, stores, Keys(keys.log, keys.receipt, "urn:sealgate:authority:a1"))
        try:
            await _event(recorder)
            log.step()
            return await work(log, lambda: rotate(recorder, rotations, CALLER, {"receipt": log.use_receipt_signer}))
        finally:
            log.close()
            lock.close()

    return kit.session(live)


def _verdict(kit, receipt):
    return verify_receipt(receipt, (kit.data / "trust.json").read_bytes()).verdict.value


@pytest.mark.parametrize(("ended", "old"), [(RETIRED, "verified"), (REVOKED, "not_proven")])
def test_a_receipt_key_is_replaced_while_the_authority_runs(kit, ended, old):
    """Receipts of a retired key stay proofs, those of a revoked one are none; new ones verify, after a restart too."""

    async def work(log, change):
        statement_0 = log._stores.journal.statements(0, 1)[0]
        before = log.transparent_statement(0, statement_0)
        await change()
        same_size = log.transparent_statement(0, statement_0)
        log.step()
        return before, same_size, log.transparent_statement(0, statement_0)

    kit.session(_event)
    first = Keyring.of(kit.configuration).open().receipt.key_id
    kit.prepare(Purpose.RECEIPT, ended_kind=ended)
    before, same_size, after = _signs_receipts(kit, work)

    assert Keyring.of(kit.configuration).open().receipt.key_id != first
    assert (_verdict(kit, before), _verdict(kit, same_size), _verdict(kit, after)) == (old, "verified", "verified")
    (former,) = trust.parse((kit.data / "trust.json").read_bytes()).former_receipt_keys
    assert (former.kid, former.revoked) == (first, ended == REVOKED)
    periods = [period for period in kit.verify().periods if period.purpose == "receipt"]
    assert [period.end for period in periods] == [former.to_index, None]


def test_a_retired_receipt_key_signs_no_later_tree(kit):
    """Whoever keeps the old key cannot make a receipt for a tree that was larger than when it ended."""
    kit.session(_event)
    old = Keyring.of(kit.configuration).open().receipt
    kit.prepare(Purpose.RECEIPT)

    async def work(log, change):
        await change()
        log.step()
        log.use_receipt_signer(old)  # the thief
        return log.transparent_statement(0, log._stores.journal.statements(0, 1)[0])

    assert _verdict(kit, _signs_receipts(kit, work)) == "altered"


# -- keys that are secret altogether ---------------------------------------------------------------------------------


def _starts(kit):
    """A start of the authority as far as keys go: put into use, open, record."""
    RotationFiles(Keyring.of(kit.configuration), kit.data).settle()
    kit.session(record_secrets)


def _key_events(kit):
    async def read(recorder, _rotations):
        return None

    kit.session(read)
    keys = Keyring.of(kit.configuration).open()
    data_keys = SqliteDataKeys(kit.data / "data-keys.db", keys.wrapping)
    with FileJournal(kit.data / "journal", ORIGIN) as journal:
        reader = Reader(journal=journal, data_keys=data_keys, origin=ORIGIN)
        bodies = [reader.open(index, record).content() for index, record in journal.read(0)]
    data_keys.close()
    return [(body["kind"], body["purpose"], body["public_key"]) for body in bodies if body["kind"].startswith("key.")]


def test_a_permit_key_changes_at_a_start_and_is_recorded(kit):
    """Permits of before fit no more; the change is two records without a key; it is refused while running."""
    kit.session(_event)
    ring = Keyring.of(kit.configuration)
    before = ring.open().permit
    token = PermitMac(before).token(bytes(16), "a")
    kit.prepare(Purpose.PERMIT, ended_kind=REVOKED)

    with pytest.raises(InputError, match="at a start"):
        kit.session(_rotate)
    assert ring.open().permit == before
    _starts(kit)

    after = ring.open().permit
    assert after != before
    assert PermitMac(before).fits(token, "a")
    assert not PermitMac(after).fits(token, "a")
    assert _key_events(kit) == [("key.added", "permit", None), ("key.revoked", "permit", None)]
    _starts(kit)
    assert len(_key_events(kit)) == 2
    kit.verify()


@pytest.mark.parametrize("step", ["settled", "noted", "finish"])
def test_a_crash_while_a_permit_key_changes(kit, step, monkeypatch):
    """Dead at any step of the start: the next one uses the new key and has recorded the change."""

    def dies(*_arguments):
        raise _Crashed

    kit.session(_event)
    before = Keyring.of(kit.configuration).open().permit
    kit.prepare(Purpose.PERMIT)
    with monkeypatch.context() as patch:
        name = {"settled": "pending", "noted": "note", "finish": "finish"}[step]
        patch.setattr(RotationFiles, name, dies)
        with pytest.raises(_Crashed):
            _starts(kit)
    _starts(kit)

    assert Keyring.of(kit.configuration).open().permit != before
    assert {kind for kind, _, _ in _key_events(kit)} == {"key.added", "key.retired"}
    assert not (kit.data / "keys" / "rotation.json").exists()


def _rewraps(kit):
    """What ``sealgate keys rotate --purpose wrapping`` does."""
    return change_wrapping(kit.configuration, kit.root(), None, RETIRED)


def test_everything_is_wrapped_anew(kit):
    """Bodies of before and after read; the old key opens nothing; nothing of its form is left in a file."""
    kit.session(_event)
    ring = Keyring.of(kit.configuration)
    old = ring.open().wrapping
    places = Places(*(kit.data / name for name in ("journal", "log", "data-keys.db", "trust.json", "evidence")))
    open_service(places, old).close()
    store = kit.data / "evidence" / STORE
    hot = keyfile.read(store, old)
    rows = _wrapped(kit)

    _, count = _rewraps(kit)
    _starts(kit)
    kit.session(_event)

    new = ring.open().wrapping
    assert count == len(rows) + 1
    assert keyfile.read(store, new) == hot
    open_service(places, new).close()
    with pytest.raises(AlteredError):
        keyfile.read(store, old)
    for wrapped in _wrapped(kit):
        new.unwrap(wrapped)
        with pytest.raises(AlteredError):
            old.unwrap(wrapped)
    content = b"".join(path.read_bytes() for path in kit.data.glob("data-keys.db*"))
    assert not any(wrapped in content for wrapped in rows)
    assert _key_events(kit) == [("key.added", "wrapping", None), ("key.retired", "wrapping", None)]
    kit.verify()


def _wrapped(kit):
    with contextlib.closing(sqlite3.connect(kit.data / "data-keys.db")) as database:
        return [bytes(row[0]) for row in database.execute("SELECT wrapped FROM data_keys")]


@pytest.mark.parametrize("step", ["data keys", "evidence", "prepare", "switch", "unlink"])
def test_a_crash_while_everything_is_wrapped_anew(kit, step, monkeypatch):
    """Dead at any step: nothing starts meanwhile and says why; another run ends it and all bodies read."""
    places = {
        "data keys": (rewrapping, "_data_keys"),
        "evidence": (rewrapping, "_evidence"),
        "prepare": (RotationFiles, "prepare"),
        "switch": (Keyring, "switch"),
        "unlink": (rewrapping, "sync_directory"),
    }

    def dies(*_arguments):
        raise _Crashed

    kit.session(_event)
    with monkeypatch.context() as patch:
        patch.setattr(*places[step], dies)
        with pytest.raises(_Crashed):
            _rewraps(kit)
    if step != "unlink":  # then only the sync of the folder's entry was missing
        with pytest.raises(ConfigurationError, match="under way"):
            kit.session(_event)
        _rewraps(kit)
    _starts(kit)
    kit.session(_event)

    assert {kind for kind, _, _ in _key_events(kit)} == {"key.added", "key.retired"}
    kit.verify()


def test_the_wrapping_key_stays_while_the_authority_runs(kit):
    """Somebody holds the journal: nothing is touched."""
    kit.session(_event)
    rows = _wrapped(kit)

    with FileJournal(kit.data / "journal", ORIGIN), pytest.raises(ConfigurationError, match="another process"):
        _rewraps(kit)
    assert _wrapped(kit) == rows
    _rewraps(kit)
    assert _wrapped(kit) != rows
