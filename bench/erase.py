"""Bar: one subject out of 1,000 is erased; every proof, receipt and other subject still verifies; the value is nowhere.

A whole installation in one process, without the network: vault, authority, real batches of items. Worst case: the items
carry each person's value in the clear, sealed only by the person's data key. Before the erasure the value can be read
and the wrapped keys are on disk (positive control). After it every file is searched for the value in seven writings
and for the destroyed keys' wrapped forms; the verifier goes over the whole public log; receipts given out before are
checked again; every other body is opened.
"""

import asyncio
import base64
import contextlib
import json
import random
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.harness import Options, Result
from sealgate.adapters import installation
from sealgate.adapters.configuration import loading
from sealgate.adapters.installation import DATA_KEYS, Plan
from sealgate.adapters.journals.file import FileJournal
from sealgate.adapters.keys.datakeys import SqliteDataKeys
from sealgate.adapters.keys.keyring import Keyring
from sealgate.adapters.vault import folder as vault_folder
from sealgate.adapters.vault.authority import members
from sealgate.authority.reader import Reader
from sealgate.authority.service import Authority
from sealgate.cli._wiring import open_authority
from sealgate.cli.init import JOURNAL, VAULT, create_stores
from sealgate.encoding import canonical
from sealgate.model.erasure import Erasure, ErasureRequest
from sealgate.model.evaluation import CaptureRequest, Identity
from sealgate.model.scopes import subject_prefix
from sealgate.ports.vault import AccessEvent
from sealgate.vault.erasure import SubjectErasures
from sealgate.vault.tokens import Tokens, Value
from sealgate.verifier.log import LogOptions, verify_log
from sealgate.verifier.receipt import Extras, verify_receipt
from sealgate.verifier.report import Verdict

SUBJECTS: Final = 1000
RECORDS: Final = 20_000
RECORDS_FULL: Final = 1_000_000
ITEMS_PER_BATCH: Final = 20
ITEMS_PER_BATCH_FULL: Final = 50
RECEIPTS: Final = 500
CALLER: Final = Identity(
    principal="bench",
    proof="internal",
    agents=frozenset({"*"}),
    roles=frozenset({"collect", "service", "read", "erase"}),
)


@dataclass(slots=True)
class Found:
    """What the run found out."""

    erase_s: float = 0.0
    erasure: Erasure | None = None
    receipts: list[tuple[bytes, bytes]] = field(default_factory=list)
    on_disk_before: int = 0
    readable_before: bool = False


class Direct:
    """The authority as the vault calls it, in the same process (ports.vault.AuthorityCalls)."""

    def __init__(self, authority: Authority, loop: asyncio.AbstractEventLoop) -> None:
        self._authority = authority
        self._loop = loop

    def record(self, event: AccessEvent) -> str:
        """Record a step."""
        request = CaptureRequest(kind="access", data=members(event))
        return asyncio.run_coroutine_threadsafe(self._authority.capture(request, CALLER), self._loop).result().record_id

    def erase(self, subject: str, request: ErasureRequest) -> Erasure:
        """Bring an erasure on."""
        return asyncio.run_coroutine_threadsafe(self._authority.erase(subject, request, CALLER), self._loop).result()


def run(options: Options) -> Result:
    """Run at one size."""
    records = RECORDS_FULL if options.full else RECORDS
    return run_sized(records, SUBJECTS, ITEMS_PER_BATCH_FULL if options.full else ITEMS_PER_BATCH)


def run_sized(records: int, subjects: int, batch: int) -> Result:
    """Fill an installation, erase one subject, look everywhere."""
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "gate"
        plan = Plan(origin="bench.example/erase", authority_id="bench", operator_uid=0, created="2026-11-21T00:00:00Z")
        installation.create(data, plan, extra=create_stores)
        vault_folder.create(data / VAULT, created=plan.created)
        started = time.monotonic()
        values = [_value(number) for number in range(subjects)]
        victim = subjects // 3
        tokens, found, wrapped = asyncio.run(_fill_and_erase(data, values, victim, records, batch))
        filled_s = time.monotonic() - started
        trust = (data / "trust.json").read_bytes()
        report = verify_log(data / "log", trust, LogOptions())
        bad_receipts = sum(
            verify_receipt(proof, trust, Extras(body=body)).verdict is not Verdict.VERIFIED
            for proof, body in found.receipts
        )
        opened = _open_all(data, tokens, values, victim)
        hits = _hits(data, _writings(values[victim]) | {f"key {n}": key for n, key in enumerate(wrapped)})
    erased = found.erasure.facts.records if found.erasure and found.erasure.facts else 0
    missed = [
        message
        for wrong, message in (
            (report.verdict is not Verdict.VERIFIED, f"the log is {report.verdict}"),
            (bad_receipts, f"{bad_receipts} receipts given out before do not verify"),
            (hits, f"on disk after the erasure: {hits}"),
            (opened["others_lost"], f"{opened['others_lost']} records of others cannot be read"),
            (opened["victims_readable"], f"{opened['victims_readable']} records of the subject can be read"),
            (opened["victims_lost"] != erased, "the certificate counts other records than were lost"),
            (not found.readable_before, "positive control: the value could not be read before"),
            (found.on_disk_before < len(wrapped), "positive control: the wrapped keys were not on disk before"),
        )
        if wrong
    ]
    figures = {
        "records": records,
        "subjects": subjects,
        "journal_records": opened["all"],
        "erase_s": round(found.erase_s, 3),
        "filled_and_erased_s": round(filled_s, 1),
        "keys_destroyed": len(found.erasure.facts.key_ids) if found.erasure and found.erasure.facts else 0,
        "journal_records_erased": erased,
        "records_of_others_opened": opened["others"],
        "receipts_verified": len(found.receipts) - bad_receipts,
        "log": str(report.verdict),
        "writings_searched": len(_writings("x")) + len(wrapped),
        "hits_on_disk": len(hits),
    }
    return Result("erase", figures, 1, "one process, real journal, keys, vault and verifier; no network", missed)


async def _fill_and_erase(
    data: Path, values: list[str], victim: int, records: int, batch: int
) -> tuple[list[str], Found, list[bytes]]:
    authority, _, _ = open_authority(data)
    assert isinstance(authority, Authority)  # noqa: S101  # for the type checker
    await authority.start()
    loop = asyncio.get_running_loop()
    opened = vault_folder.open_folder(data / VAULT, f"file:{data / VAULT / vault_folder.UNLOCK}", base=data)
    direct = Direct(authority, loop)
    vault = Tokens(opened.store, opened.sealing, direct, lambda: time.time_ns() // 1_000_000)
    found = Found()
    try:
        tokens = await loop.run_in_executor(None, lambda: [_register(vault, value) for value in values])
        record_ids = await _fill(authority, tokens, values, records, batch)
        await _until_included(authority, record_ids[-1][1])
        found.receipts = _receipts(authority, record_ids, tokens[victim])
        found.readable_before = any(values[victim].encode() in body for _, body in found.receipts)
        wrapped = [*_wrapped_keys(data, tokens[victim]), _vault_key(opened.store, tokens[victim])]
        found.on_disk_before = sum(bool(_hits(data, {"key": key})) for key in wrapped[:-1]) + 1
        erasures = SubjectErasures(opened.store, direct)
        request = ErasureRequest(erasure_id=str(uuid.uuid4()), basis="gdpr-17-1-b")
        started = time.monotonic()
        found.erasure = await loop.run_in_executor(None, erasures.erase, tokens[victim], request, CALLER)
        found.erase_s = time.monotonic() - started
        await asyncio.sleep(1.5)  # a checkpoint over the erasure's own records
    finally:
        opened.store.close()
        await authority.stop()
    return tokens, found, wrapped


def _register(vault: Tokens, value: str) -> str:
    return vault.register([Value("name", value)], None, CALLER)


def _receipts(authority: Authority, record_ids: list[tuple[str, str]], victim: str) -> list[tuple[bytes, bytes]]:
    """Fetch receipts with bodies: all of the subject that will be erased, a sample of the others'."""
    own = [record_id for subject, record_id in record_ids if subject == victim]
    others = [record_id for subject, record_id in record_ids if subject != victim]
    asked = own + random.Random(7).sample(others, min(RECEIPTS, len(others)))
    found = [authority.receipt(record_id, CALLER) for record_id in asked]
    return [(receipt["tlog_proof"].encode(), receipt["body"].encode()) for receipt in found]


async def _fill(
    authority: Authority, tokens: list[str], values: list[str], records: int, batch: int
) -> list[tuple[str, str]]:
    """Hand in all records, in batches of one subject, as a collector would; return (subject, record id) of each."""
    each = records // len(tokens)
    batches = [
        _batch(token, value, range(start, min(start + batch, each)))
        for token, value in zip(tokens, values, strict=True)
        for start in range(0, each, batch)
    ]
    random.Random(11).shuffle(batches)
    record_ids: list[tuple[str, str]] = []
    for start in range(0, len(batches), 64):
        body = json.dumps({"batches": batches[start : start + 64]}, separators=(",", ":"), ensure_ascii=False).encode()
        done = await authority.record_batches(body, CALLER)
        sent = [item["subject"] for item in batches[start : start + 64]]
        record_ids += zip(sent, (item.record_id for item in done.recorded), strict=True)
    return record_ids


def _batch(token: str, value: str, numbers: range) -> dict[str, Any]:
    items = [
        canonical.encode_arguments({"kind": "event.logged", "subject": token, "text": f"{value} called", "n": number})
        for number in numbers
    ]
    return {
        "batch_id": str(uuid.uuid4()),
        "agent": "a1",
        "principal": "bench",
        "proof": "internal",
        "coverage": "captured",
        "retention_class": "default",
        "subject": token,
        "region": None,
        "environment": None,
        "items": [item.decode() for item in items],
    }


async def _until_included(authority: Authority, record_id: str) -> None:
    async with asyncio.timeout(60):
        while authority.receipt(record_id, CALLER)["tlog_proof"] is None:  # noqa: ASYNC110  # the publisher's thread
            await asyncio.sleep(0.1)


def _wrapped_keys(data: Path, subject: str) -> list[bytes]:
    with contextlib.closing(sqlite3.connect(f"{(data / DATA_KEYS).as_uri()}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT scope, wrapped FROM data_keys").fetchall()
    return [wrapped for scope, wrapped in rows if scope.startswith(subject_prefix(subject))]


def _vault_key(store: Any, subject: str) -> bytes:
    with store.transaction():
        return bytes(store.subject(subject).key)


def _open_all(data: Path, tokens: list[str], values: list[str], victim: int) -> dict[str, int]:
    """Open every body of the stopped installation; count whose can be read."""
    configuration = loading.load(data / "sealgate.toml", {}, ())
    origin = configuration.authority.origin
    journal = FileJournal(data / JOURNAL, origin, deliver=lambda function, *arguments: function(*arguments))
    keys = SqliteDataKeys(data / DATA_KEYS, Keyring.of(configuration).open_reading())
    reader = Reader(journal=journal, data_keys=keys, origin=origin)
    counts = {"all": journal.size, "others": 0, "others_lost": 0, "victims_readable": 0, "victims_lost": 0}
    value_of = dict(zip(tokens, values, strict=True))
    batches = 0
    for index, record in journal.read(0, journal.size):
        body = reader.open(index, record).content()
        if body is None:
            counts["victims_lost"] += 1
        elif body["kind"] == "records.captured":
            batches += 1
            counts["victims_readable"] += body["subject"] == tokens[victim]
            counts["others"] += body["count"]
            counts["others_lost"] += value_of[body["subject"]] not in body["items"][0]
    journal.close()
    keys.close()
    return counts


def _value(number: int) -> str:
    """Return a name with letters that writings differ in."""
    rng = random.Random(number)
    letters = "".join(rng.choice("abcdefghijklmnopqrstuvwxyzåäöéèüß") for _ in range(14))
    return f"Zoë {letters.capitalize()} \N{EN DASH} {number:04d}"


def _writings(value: str) -> dict[str, bytes]:
    """Return the value as it might be written; base64 at each of its three alignments."""
    raw = value.encode()
    shifted = {f"base64 {n}": base64.b64encode(bytes(n) + raw)[4 if n else 0 : -4] for n in range(3)}
    urlsafe = {f"base64url {n}": base64.urlsafe_b64encode(bytes(n) + raw)[4 if n else 0 : -4] for n in range(3)}
    return {
        "utf-8": raw,
        "json": json.dumps(value)[1:-1].encode(),
        "utf-16": value.encode("utf-16-le"),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "case-folded": value.casefold().encode(),
        **shifted,
        **urlsafe,
    }


def _hits(data: Path, wanted: dict[str, bytes]) -> list[str]:
    """Return where any of these stands in a file."""
    return [
        f"{path.relative_to(data)}: {name}"
        for path, content in _files(data)
        for name, pattern in wanted.items()
        if pattern and pattern in content
    ]


def _files(data: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(data.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes()
