"""The verifier on what a real authority made: two starts, decisions, redemptions, export with bodies, receipts."""

import asyncio
import base64

from sealgate.adapters.stores.directory import DirectoryLog
from sealgate.ledger.export import export
from sealgate.proofs import notes, trust
from sealgate.proofs.notes import VerifierKey
from sealgate.proofs.trust import StatementKey, Trust
from sealgate.verifier.log import LogOptions, verify_log
from sealgate.verifier.receipt import Extras, verify_receipt

from .conftest import CALLER, ORIGIN, FileSigner, question


def _trust(kit) -> bytes:
    key = StatementKey(FileSigner(kit.seed).public_key, 0, None)
    log = VerifierKey(ORIGIN, notes.ED25519, kit.log_signer.public_key)
    return trust.encode(Trust(ORIGIN, log, kit.root.public_key, kit.receipt_signer.public_key, (key,)))


async def _live(kit):
    """Live through two starts; return a decision's receipt, its transparent statement, and all bodies."""
    answer = given = None
    for life in range(2):
        authority = await kit.started()
        for number in range(140):
            answer = await authority.evaluate(question(redeem=number % 2 == 0, to="bob", amount=number), CALLER, None)
        record_id = answer.context.record_id

        def included(authority=authority, record_id=record_id):
            return authority.receipt(record_id, CALLER)["state"] != "signed"

        await kit.until(included, timeout_s=60)
        given = authority.receipt(record_id, CALLER)
        if life == 1:
            transparent = authority._parts.receipts.transparent_statement(record_id, CALLER)
            stored = [kit.reader.read(index).body for index in range(kit.reader.size)]
        await authority.stop()
    return given, transparent, stored


def test_what_an_authority_made_is_verified(kit, tmp_path):
    """Log with and without bodies, range, native receipt with body: verified; one flipped byte: named."""
    given, transparent, bodies = asyncio.run(_live(kit))
    trusted, out = _trust(kit), tmp_path / "out"
    source = DirectoryLog(kit.folder / "log")
    export(
        source, DirectoryLog(out), bodies=lambda low, high: bodies[low:high] + [None] * (high - max(low, len(bodies)))
    )
    export(source, DirectoryLog(tmp_path / "some"), start=257, stop=270)
    whole = verify_log(out, trusted, LogOptions(prior=(out / "checkpoint").read_bytes()))
    some = verify_log(tmp_path / "some", trusted, LogOptions(start=257, stop=270))
    extras = Extras(body=given["body"].encode())
    receipt = verify_receipt(given["tlog_proof"].encode(), trusted, extras)
    alone = verify_receipt(base64.b64decode(given["statement"]), trusted)

    assert [step for step in whole.steps if step.outcome in ("failed", "unproven")] == []
    assert (whole.verdict, some.verdict, receipt.verdict) == ("verified", "verified", "verified"), some.reason
    assert alone.verdict == "not_proven"
    assert whole.facts["size"] > 280
    assert verify_receipt(transparent, trusted).verdict == "verified"

    path = out / "body" / "000"
    data = bytearray(path.read_bytes())
    data[4 + 20] ^= 1
    path.write_bytes(bytes(data))
    assert verify_log(out, trusted, LogOptions()).first_bad_index == 0
