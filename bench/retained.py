"""A small real world for retention: the real journal, recorder, ledger, key store and retention, under a set clock."""

import asyncio
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from bench.ledger_world import ORIGIN, SeedSigner, keys
from sealgate.adapters.archiving.process import ProcessArchiver
from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.keys.datakeys import SqliteDataKeys
from sealgate.adapters.keys.file import FileWrappingKey
from sealgate.adapters.stores.authority_files import AuthorityFiles
from sealgate.adapters.stores.directory import DirectoryLog, DirectoryStaging
from sealgate.adapters.stores.lock_sqlite import SqliteLock
from sealgate.authority import key_events
from sealgate.authority.drafts import Place, Receipt
from sealgate.authority.holds import Holds
from sealgate.authority.idempotency import Remembered
from sealgate.authority.permits import OpenDecisions
from sealgate.authority.reader import Reader
from sealgate.authority.recorder import Recorder
from sealgate.authority.retention import Retention
from sealgate.authority.retention_parts import Parts, Settings
from sealgate.authority.state import Memory
from sealgate.authority.timekeeping import Timekeeper
from sealgate.ledger.log import Ledger
from sealgate.ledger.recovery import Stores
from sealgate.ledger.shrinking import ShrinkingBundles
from sealgate.model.records import Kind
from sealgate.model.scopes import Period
from sealgate.proofs import trust
from sealgate.proofs.notes import ED25519, VerifierKey
from sealgate.retention.classes import Classes

START_MS: Final = 1_790_000_000_000


class SetClock:
    """A clock that stands still until it is set."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms

    def unix_ms(self) -> int:
        """Tell the time that was set."""
        return self.now_ms

    def monotonic_s(self) -> float:
        """Tell the same in seconds."""
        return self.now_ms / 1000


@dataclass(slots=True)
class World:
    """An open installation; call inside a running loop."""

    folder: Path
    clock: SetClock
    journal: FileJournal
    data_keys: SqliteDataKeys
    recorder: Recorder
    reader: Reader
    memory: Memory
    ledger: Ledger
    lock: SqliteLock
    holds: Holds
    retention: Retention
    archiver: ProcessArchiver | None

    async def record(self, kind: Kind, fields: dict[str, Any], **more: Any) -> Receipt:
        """Record one thing now."""
        draft = self.recorder.draft(kind)
        draft.fields = fields
        return await self.recorder.record(draft, **more)

    def close(self) -> None:
        """Close all."""
        self.ledger.close()
        self.journal.close()
        self.lock.close()
        self.data_keys.close()


def make(folder: Path) -> None:
    """Make an empty installation."""
    FileJournal.create(folder / "journal", ORIGIN)
    SqliteLock.create(folder / "lock.db", ORIGIN)
    SqliteDataKeys.create(folder / "data-keys.db")


async def open_world(
    folder: Path,
    classes: Classes,
    clock: SetClock,
    *,
    segment_bytes: int = 1 << 26,
    prune: bool = False,
    elsewhere: bool = False,
) -> World:
    """Open what ``make`` made; writes the first record where there is none. ``elsewhere``: a process archives."""
    loop = asyncio.get_running_loop()
    journal = FileJournal(folder / "journal", ORIGIN, deliver=loop.call_soon_threadsafe, segment_bytes=segment_bytes)
    data_keys = SqliteDataKeys(
        folder / "data-keys.db",
        FileWrappingKey(sha256(b"wrapping").digest()),
        period_of=lambda name: Period.for_maximum(classes.effective(name).body),
    )
    recorder = Recorder(
        place=Place(ORIGIN, "bench", "eu", "bench", "default"),
        journal=journal,
        signer=SeedSigner("statement"),
        data_keys=data_keys,
        time=Timekeeper(clock),
        classes=classes,
    )
    reader = Reader(journal=journal, data_keys=data_keys, origin=ORIGIN)
    memory = Memory(OpenDecisions(late_window_ms=60_000), Remembered(window_ms=900_000))
    for index, record in journal.read(0):
        content = reader.open(index, record).content()
        if content is not None:
            memory.apply(index, content)
            recorder.resume_after(content["record_id"])
            recorder.time.last_ms = max(recorder.time.last_ms, memory.last_ms)
    lock = SqliteLock(folder / "lock.db", ORIGIN)
    public = DirectoryLog(folder / "log")
    ledger = Ledger(ORIGIN, Stores(journal, public, DirectoryStaging(folder / "staging"), lock), keys())
    archiver = ProcessArchiver(ORIGIN, data_keys, lock=journal.lock, large=1) if elsewhere else None
    retention = Retention(
        Parts(
            memory=memory,
            journal=journal,
            reader=reader,
            recorder=recorder,
            data_keys=data_keys,
            bundles=ShrinkingBundles(public, ledger.size),
            notes=AuthorityFiles(folder),
            settings=Settings(classes, prune=prune),
            entropy=os.urandom,
            archiver=archiver,
        )
    )
    holds = Holds(memory=memory, recorder=recorder)
    world = World(folder, clock, journal, data_keys, recorder, reader, memory, ledger, lock, holds, retention, archiver)
    if journal.size == 0:
        await world.record(Kind.GENESIS, _genesis())
    return world


def _genesis() -> dict[str, Any]:
    root = SeedSigner("root")
    return key_events.genesis(
        origin=ORIGIN,
        authority_id="bench",
        log_key=_log_key().encode(),
        root_key=root.public_key,
        statement_key=SeedSigner("statement").public_key,
        receipt_key=SeedSigner("receipt").public_key,
        predecessor=None,
        sign=root.sign,
    )


def _log_key() -> VerifierKey:
    return VerifierKey(ORIGIN, ED25519, SeedSigner("log").public_key)


def trust_file() -> bytes:
    """Return the trust file of such an installation."""
    return trust.encode(
        trust.Trust(
            origin=ORIGIN,
            log=_log_key(),
            root_key=SeedSigner("root").public_key,
            receipt_key=SeedSigner("receipt").public_key,
            statement_keys=(trust.StatementKey(SeedSigner("statement").public_key, 0),),
        )
    )


def bytes_at_rest(data: Path) -> dict[str, int]:
    """Return what lies in a data directory, by part, in bytes; names of folders and small files apart."""
    parts = {"journal": 0, "log": 0, "evidence": 0, "other": 0}
    for path in data.rglob("*"):
        if path.is_file():
            top = path.relative_to(data).parts[0]
            parts[top if top in parts else "other"] += path.stat().st_size
    return parts


def bytes_per_record(data: Path, records: int) -> dict[str, float]:
    """Return bytes a record at rest, by part and in all; ``records`` counts items of batches one by one."""
    parts = bytes_at_rest(data)
    return {**{name: size / records for name, size in parts.items()}, "all": sum(parts.values()) / records}
