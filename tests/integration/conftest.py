"""A real authority in process: file journal, encrypted data keys, real signatures, real policies; only time is set."""

import asyncio
import json
import os
import time as system_time

import pytest

from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.journals.writer import create_first_segment
from sealgate.adapters.keys.datakeys import SqliteDataKeys
from sealgate.adapters.keys.file import FileSigner, FileWrappingKey
from sealgate.adapters.stores.authority_files import AuthorityFiles
from sealgate.adapters.stores.directory import DirectoryLog, DirectoryStaging
from sealgate.adapters.stores.lock_sqlite import SqliteLock
from sealgate.authority import key_events
from sealgate.authority.approval_requests import Settings as ApprovalSettings
from sealgate.authority.drafts import Place
from sealgate.authority.gate import Times
from sealgate.authority.idempotency import Remembered
from sealgate.authority.parts import Parts
from sealgate.authority.permits import OpenDecisions, PermitMac
from sealgate.authority.publisher import Publisher
from sealgate.authority.reader import Reader
from sealgate.authority.receipts import Receipts
from sealgate.authority.recorder import Recorder
from sealgate.authority.service import Authority
from sealgate.authority.state import Memory
from sealgate.authority.timekeeping import Timekeeper
from sealgate.ledger.log import Keys as LedgerKeys
from sealgate.ledger.log import Ledger
from sealgate.ledger.recovery import Stores
from sealgate.ledger.shrinking import ShrinkingBundles
from sealgate.model.evaluation import Action, Context, Entity, EvaluationRequest, Identity
from sealgate.model.scopes import Period
from sealgate.proofs import notes
from sealgate.proofs.notes import VerifierKey
from sealgate.retention.classes import Classes

ORIGIN = "test.example/log"
CALLER = Identity(principal="tester", proof="unix_peer", agents=frozenset({"a1", "a2"}), roles=frozenset({"enforce"}))

TOOLS = [
    {
        "name": "pay",
        "inputSchema": {
            "type": "object",
            "properties": {"to": {"type": "string"}, "amount": {"type": "integer"}},
            "required": ["to", "amount"],
        },
    },
    {"name": "read", "inputSchema": {"type": "object", "properties": {"path": {"type": "string"}}}},
]
POLICIES = """
@id("pay-small") permit (principal, action == Action::"pay", resource) when { context.input.amount <= 100 };
@id("never-mallory") forbid (principal, action == Action::"pay", resource) when { context.input.to == "mallory" };
@id("errs") permit (principal == Agent::"a2", action == Action::"pay", resource)
when { context.input.amount + 9223372036854775807 > 0 };
"""
PATIENT = Times(deadline_ms=20_000)
"""A disk that stands still for a moment must not turn a decision into SILENCE where a test asks what is decided."""

LIMITS = [{"id": "calls", "action": "pay", "max": 3, "per": "hour"}]


def bundle(policies=POLICIES, limits=()):
    """A policy set for the two tools."""
    value = {
        "format": "sealgate-policy/v1",
        "schema": None,
        "policies": [{"id": "test", "text": policies}],
        "tools": [{"server": "bank", "tools": TOOLS}],
        "limits": list(limits),
        "entities": [],
    }
    return json.dumps(value).encode()


def question(tool="pay", agent="a1", *, redeem=False, request_id=None, **arguments):
    """One evaluation request."""
    return EvaluationRequest(
        subject=Entity("agent", agent),
        action=Action(tool),
        resource=Entity("tool_server", "bank"),
        context=Context(input=arguments or {"to": "bob", "amount": 5}, redeem=redeem, request_id=request_id),
    )


class SettableClock:
    """The system's clock, shifted by ``shift_ms``."""

    shift_ms = 0

    def unix_ms(self):
        """Tell the shifted time."""
        return system_time.time_ns() // 1_000_000 + self.shift_ms

    def monotonic_s(self):
        """Tell monotonic seconds."""
        return system_time.monotonic()


class NothingPrepared:
    """An ``authority.key_rotation.Rotations`` without a change of keys."""

    def pending(self):
        """Nothing waits."""
        return ()


class Kit:
    """Builds authorities over one data directory, so that tests can stop, crash and start again."""

    def __init__(self, folder):
        self.folder = folder
        self.clock = SettableClock()
        self.seed, self.kek, self.permit_key = os.urandom(32), os.urandom(32), os.urandom(32)
        (folder / "journal").mkdir(parents=True)
        create_first_segment(folder / "journal", ORIGIN)
        self.log_signer, self.receipt_signer, self.root = (FileSigner(os.urandom(32)) for _ in range(3))
        for name in ("log", "staging"):
            (folder / name).mkdir()
        SqliteLock.create(folder / "lock.db", ORIGIN)
        SqliteDataKeys.create(folder / "datakeys.db")

    def build(
        self,
        *,
        wrap_journal=lambda journal: journal,
        times=None,
        judges=None,
        second_person=False,
        settings=None,
        retention=None,
        segment_bytes=1 << 26,
        approvals=None,
        notify=None,
        callback_key=None,
        callback_approvers=(),
        credentials=(),
        signing=None,
    ):
        """Put a new authority together; call inside a running loop."""
        loop = asyncio.get_running_loop()
        self.journal = wrap_journal(
            FileJournal(
                self.folder / "journal",
                ORIGIN,
                deliver=loop.call_soon_threadsafe,
                segment_bytes=segment_bytes,
                loop=loop,
            )
        )
        classes = retention.classes if retention else Classes(())
        keys = self.keys = SqliteDataKeys(
            self.folder / "datakeys.db",
            FileWrappingKey(self.kek),
            period_of=lambda name: Period.for_maximum(classes.effective(name).body),
        )
        recorder = Recorder(
            place=Place(ORIGIN, "test", "eu", "test", "default"),
            journal=self.journal,
            signer=FileSigner(self.seed),
            data_keys=keys,
            time=Timekeeper(self.clock),
            classes=retention.classes if retention else None,
            signing=signing,
        )
        self.reader = Reader(journal=self.journal, data_keys=keys, origin=ORIGIN)
        memory = Memory(OpenDecisions(late_window_ms=60_000), Remembered(window_ms=900_000))
        stores = Stores(
            journal=self.journal,
            public=DirectoryLog(self.folder / "log"),
            staging=DirectoryStaging(self.folder / "staging"),
            lock=SqliteLock(self.folder / "lock.db", ORIGIN),
        )
        log = Ledger(ORIGIN, stores, LedgerKeys(self.log_signer, self.receipt_signer, "urn:sealgate:authority:test"))
        return Authority(
            Parts(
                memory=memory,
                journal=self.journal,
                data_keys=keys,
                recorder=recorder,
                reader=self.reader,
                permits=PermitMac(self.permit_key),
                receipts=Receipts(reader=self.reader, log=log),
                publisher=Publisher(log, interval_s=0.05),
                storage=AuthorityFiles(self.folder),
                times=times or PATIENT,
                genesis=self.genesis(),
                rotations=NothingPrepared(),
                judges=judges,
                retention=retention,
                bundles=ShrinkingBundles(stores.public, log.size),
                second_person=second_person,
                settings=settings or {},
                approvals=approvals or ApprovalSettings({}),
                notify=notify,
                callback_key=callback_key,
                callback_approvers=frozenset(callback_approvers),
                credentials=credentials,
                close=lambda: (log.close(), stores.lock.close(), keys.close()),
            )
        )

    def genesis(self):
        """The endorsed keys of this log."""
        return key_events.genesis(
            origin=ORIGIN,
            authority_id="test",
            log_key=VerifierKey(ORIGIN, notes.ED25519, self.log_signer.public_key).encode(),
            root_key=self.root.public_key,
            statement_key=FileSigner(self.seed).public_key,
            receipt_key=self.receipt_signer.public_key,
            predecessor=None,
            sign=self.root.sign,
        )

    async def started(self, *, policies=POLICIES, limits=(), **options):
        """Return a started authority with a published policy set."""
        authority = self.build(**options)
        await authority.start()
        if policies is not None and authority.current_policy() is None:
            await authority.publish_policy(bundle(policies, limits), CALLER)
        return authority

    @staticmethod
    async def until(condition, timeout_s=60.0):
        """Wait until the condition holds; fail when it does not in time."""
        async with asyncio.timeout(timeout_s):
            while not condition():  # noqa: ASYNC110  # what is waited for happens in another thread
                await asyncio.sleep(0.02)

    def bodies(self):
        """All records' bodies, in order."""
        return [self.reader.read(index).content() for index in range(self.reader.size)]


@pytest.fixture(name="kit")
def _kit(tmp_path):
    """A kit over an empty data directory."""
    return Kit(tmp_path / "data")
