"""Verifies one receipt: a tlog-proof, a bare statement, or a transparent statement. Pure: bytes in, a report out.

The steps and their order, the same in ``page/verify.html``:

1. form: what the file is, its size, its outer form; the trust file likewise
2. checkpoint: of the expected origin, signed by the log key, cosigned by the quorum
3. tree head: size and root, from the checkpoint and from nowhere else
4. statement: strict form, signature, and the key was valid at this index
5. inclusion: statement → entry → leaf → root
6. body: canonical, and the one whose digest was sealed
7. prior checkpoint: one that the user kept must not contradict
8. freshness: age of the newest cosignature, where the user asks

Reading files and the clock are the caller's.
"""

import contextlib
from dataclasses import dataclass, field
from typing import Final

from ..encoding import cbor, statement
from ..encoding.canonical import sha256
from ..encoding.statement import Statement
from ..model.errors import AlteredError, EncodingError, ForkError, InputError, NotProvenError, SealgateError
from ..proofs import checkpoints, quorum, tlog_proof, transparent, tree, trust
from ..proofs.checkpoints import Checkpoint
from ..proofs.keys import is_signed
from ..proofs.tlog_proof import TlogProof
from ..proofs.transparent import Receipt
from ..proofs.trust import FormerReceiptKey, Trust
from .record import check_body, encode_base64
from .report import Report, Steps, StopError, UnreadableError

STEPS: Final = ("form", "checkpoint", "tree head", "statement", "inclusion", "body", "prior checkpoint", "freshness")
_TLOG_PROOF: Final = b"c2sp.org/tlog-proof@"
_COSE_SIGN1: Final = b"\xd2"


@dataclass(frozen=True, slots=True)
class Extras:
    """What the user may add: the body, a kept checkpoint, a limit on age (seconds) and the time now (Unix seconds)."""

    body: bytes | None = None
    prior: bytes | None = None
    max_age: int | None = None
    now: int = 0


@dataclass(slots=True)
class _Subject:
    """The receipt as it is taken apart. ``index`` and ``head`` are unknown for a bare statement."""

    kind: str
    statement: bytes
    proof: TlogProof | None = None
    receipts: list[Receipt] = field(default_factory=list)
    receipt: Receipt | None = None
    head: Checkpoint | None = None
    index: int | None = None
    times: list[int] = field(default_factory=list)


def verify_receipt(receipt: bytes, trust_file: bytes | None, extras: Extras | None = None) -> Report:
    """Return the report on ``receipt``. Bad evidence never raises; it is the report's verdict."""
    steps = Steps(STEPS, trusted=trust_file is not None)
    with contextlib.suppress(StopError):
        _check(steps, receipt, trust_file, extras or Extras())
    return steps.report()


def _check(steps: Steps, data: bytes, trust_file: bytes | None, extras: Extras) -> None:
    with steps.step("form"):
        trusted = None if trust_file is None else read_trust(trust_file)
        subject = _parse(data)
        steps.facts["kind"] = subject.kind
    steps.ok("form", f"{subject.kind}, {len(data)} bytes")
    _check_checkpoint(steps, subject, trusted)
    _check_tree_head(steps, subject, trusted)
    with steps.step("statement"):
        parsed = statement.parse(subject.statement)
        claims = parsed.claims
        steps.facts |= {"issuer": claims.iss, "subject": claims.sub, "time": claims.iat}
        _check_statement(steps, parsed, subject, trusted)
    _check_inclusion(steps, subject, trusted)
    _check_body(steps, parsed, extras.body)
    _check_prior(steps, subject, trusted, extras.prior)
    _check_freshness(steps, subject, extras)


def read_trust(data: bytes) -> Trust:
    """Return the trust file's content.

    Raises:
        UnreadableError: whatever is wrong with it: nothing can be checked then.
    """
    try:
        return trust.parse(data)
    except SealgateError as error:
        raise UnreadableError(f"trust file: {error.message}", hint=error.hint) from error


def _parse(data: bytes) -> _Subject:
    if data.startswith(_TLOG_PROOF):
        proof = tlog_proof.parse(data)
        if proof.extra is None:
            raise EncodingError("receipt does not carry its statement")
        return _Subject("tlog-proof", proof.extra, proof=proof, index=proof.index)
    if not data.startswith(_COSE_SIGN1):
        raise UnreadableError("the file is not a receipt", hint="a .tlog-proof, .statement or .cose file is expected")
    if len(data) > transparent.MAX_BYTES:
        raise EncodingError(f"receipt has {len(data)} bytes", hint=f"at most {transparent.MAX_BYTES} are allowed")
    match cbor.decode(data):
        case cbor.Tag(18, [_, dict() as unprotected, _, _]) if unprotected:
            inner, receipts = transparent.parse_transparent(data)
            return _Subject("transparent", inner, receipts=[_parse_receipt(item) for item in receipts])
        case cbor.Tag(18, [_, _, _, _]):
            return _Subject("statement", data)
        case _:
            raise EncodingError("receipt is not a tagged COSE_Sign1")


def _parse_receipt(data: bytes) -> Receipt:
    receipt = transparent.parse_receipt(data)
    if receipt.tree_size is None or receipt.kid is None or len(receipt.kid) != 16:
        raise EncodingError("receipt does not sign its key id and tree size")
    return receipt


# (2) ------------------------------------------------------------------------------------------------------------------


def _check_checkpoint(steps: Steps, subject: _Subject, trusted: Trust | None) -> None:
    name = "checkpoint"
    if subject.kind == "statement":
        steps.skipped(name, "a statement alone carries no checkpoint")
        return
    if subject.proof is None:
        if trusted and trusted.quorum:
            steps.unproven(
                name, "a transparent statement carries no witness cosignatures; the trust file asks for them"
            )
            return
        steps.skipped(name, "a transparent statement carries a signed root instead")
        return
    with steps.step(name):
        subject.head = read_checkpoint(subject.proof.checkpoint)
        if not trusted:
            steps.skipped(name, "no trust file, so no signature was checked")
            return
        verified = verify_checkpoint(subject.proof.checkpoint, trusted)
        subject.times = [item.time for item in verified.cosignatures if item.time is not None]
        steps.ok(name, describe_signatures(verified, trusted))


def read_checkpoint(data: bytes) -> Checkpoint:
    """Return a checkpoint of ours, unverified.

    Raises:
        EncodingError: malformed, or with extension lines.
    """
    head, _ = checkpoints.parse(data)
    if head.extensions:
        raise EncodingError("checkpoint has extension lines")
    if not head.size and head.root != tree.EMPTY_ROOT:
        raise EncodingError("checkpoint of an empty log has the wrong root")
    return head


def verify_checkpoint(data: bytes, trusted: Trust) -> quorum.VerifiedCheckpoint:
    """Return the checkpoint once log and quorum have signed it; see ``proofs.quorum``."""
    return quorum.verify_checkpoint(
        data, log=trusted.log, origin=trusted.origin, witnesses=trusted.witnesses, quorum=trusted.quorum
    )


def describe_signatures(verified: quorum.VerifiedCheckpoint, trusted: Trust) -> str:
    """Return who signed a checkpoint, in words."""
    count = quorum.count_witnesses(verified.cosignatures)
    return f"signed by {trusted.origin}, {count} witness cosignatures, {trusted.quorum} required"


# (3) ------------------------------------------------------------------------------------------------------------------


def _check_tree_head(steps: Steps, subject: _Subject, trusted: Trust | None) -> None:
    name = "tree head"
    if subject.head:
        steps.facts |= {"origin": subject.head.origin, "size": subject.head.size, "index": subject.index}
        root = encode_base64(subject.head.root)
        steps.ok(name, f"size {subject.head.size}, root {root}")
        return
    if not subject.receipts:
        steps.skipped(name, "a statement alone carries no tree head")
        return
    known = {key.kid: key for key in trusted.receipt_keys()} if trusted else {}
    matching = [item for item in subject.receipts if not trusted or item.kid in known]
    receipt = subject.receipt = (matching or subject.receipts)[0]
    subject.index = receipt.index
    origin = _receipt_origin(receipt)
    steps.facts |= {"origin": origin, "size": receipt.size, "index": receipt.index}
    if not matching:
        steps.unproven(name, "no receipt is of the trusted receipt key")
        return
    if trusted and origin != trusted.origin:
        steps.unproven(name, "receipt is of another log")
        return
    with steps.step(name):
        _require_valid(known.get(receipt.kid or b""), receipt)
        steps.ok(name, f"size {receipt.size}")


def _require_valid(key: FormerReceiptKey | None, receipt: Receipt) -> None:
    """Refuse a tree head of a receipt key that was revoked, or that had ended before the tree was so large."""
    if key is None:
        return
    if key.revoked:
        raise NotProvenError("receipt's key was revoked: what it signed proves nothing; ask for a new receipt")
    if not key.covers(receipt.size):
        raise AlteredError(f"receipt's key was not valid for a tree of size {receipt.size}", index=receipt.index)


def _receipt_origin(receipt: Receipt) -> str | None:
    match cbor.decode(receipt.protected):
        case {15: {2: str() as origin}}:
            return origin
        case _:
            return None


# (4) ------------------------------------------------------------------------------------------------------------------


def _check_statement(steps: Steps, parsed: Statement, subject: _Subject, trusted: Trust | None) -> None:
    if not trusted:
        steps.skipped("statement", "well-formed; no trust file, so its signature was not checked")
        return
    kid, index = parsed.claims.kid, subject.index
    known = [key for key in trusted.statement_keys if key.kid == kid]
    if not known:
        raise NotProvenError(f"statement's key {kid.hex()} is not in the trust file")
    if not is_signed(known[0].public_key, parsed.signing_input, parsed.signature):
        raise AlteredError("statement does not carry a valid signature of its key", index=index)
    if index is not None and not any(key.covers(index) for key in known):
        raise AlteredError(f"statement's key was not valid at index {index}", index=index)
    steps.ok("statement", f"signed by key {kid.hex()}")


# (5) ------------------------------------------------------------------------------------------------------------------


def _check_inclusion(steps: Steps, subject: _Subject, trusted: Trust | None) -> None:
    name = "inclusion"
    if subject.kind == "statement":
        steps.unproven(name, "signed, but inclusion in the log is not proven yet")
        return
    leaf = tree.leaf_hash(statement.entry_of(subject.statement))
    with steps.step(name):
        if subject.head and subject.proof:
            size, index = subject.head.size, subject.proof.index
            tree.verify_inclusion(index, size, leaf, subject.proof.hashes, subject.head.root)
            steps.ok(name, f"record {index} is in the tree of size {size}")
            return
        receipt = subject.receipts[0] if subject.receipt is None else subject.receipt
        root = tree.root_from_inclusion(receipt.index, receipt.size, leaf, receipt.path)
        for key in trusted.receipt_keys() if trusted else ():
            if key.kid == receipt.kid:
                _require_receipt_signature(receipt, root, key)
        steps.ok(name, f"record {receipt.index} is in the tree of size {receipt.size}")


def _require_receipt_signature(receipt: Receipt, root: bytes, key: FormerReceiptKey) -> None:
    message = transparent.receipt_signing_input(receipt.protected, root)
    if not is_signed(key.public_key, message, receipt.signature):
        raise AlteredError("receipt's signature does not cover this entry", index=receipt.index)


# (6) ------------------------------------------------------------------------------------------------------------------


def _check_body(steps: Steps, parsed: Statement, body: bytes | None) -> None:
    if body is None:
        steps.skipped("body", "no body was given")
        return
    with steps.step("body"):
        if sha256(body) != parsed.commitment:
            raise AlteredError("body is not the one that was sealed")
        record = check_body(body)
        steps.facts |= {"record_kind": record["kind"], "record_id": record["record_id"]}
        steps.ok("body", f"{record['kind']} {record['record_id']} is what was sealed")


# (7) ------------------------------------------------------------------------------------------------------------------


def _check_prior(steps: Steps, subject: _Subject, trusted: Trust | None, prior: bytes | None) -> None:
    name = "prior checkpoint"
    if prior is None:
        steps.skipped(name, "no prior checkpoint was given")
        return
    if not trusted or not subject.head:
        steps.unproven(name, "a prior checkpoint can only be compared with a checkpoint under a trust file")
        return
    with steps.step(name):
        pinned = read_pinned(prior, trusted)
        if pinned.size != subject.head.size:
            raise NotProvenError("sizes differ: consistency is proven by checking the log itself")
        if pinned.root != subject.head.root:
            raise ForkError(f"two signed roots for one size {pinned.size}")
        steps.ok(name, "same size, same root")


def read_pinned(data: bytes, trusted: Trust) -> Checkpoint:
    """Return a checkpoint that the user kept, once the log's signature on it verified.

    Raises:
        UnreadableError: it cannot be used, for whatever reason; it is the user's to replace.
    """
    try:
        read_checkpoint(data)
        return quorum.verify_checkpoint(data, log=trusted.log, origin=trusted.origin).checkpoint
    except (InputError, AlteredError, NotProvenError) as error:
        raise UnreadableError(f"prior checkpoint cannot be used: {error.message}") from error


# (8) ------------------------------------------------------------------------------------------------------------------


def _check_freshness(steps: Steps, subject: _Subject, extras: Extras) -> None:
    check_freshness(steps, subject.times, extras.max_age, extras.now)


def check_freshness(steps: Steps, times: list[int], max_age: int | None, now: int) -> None:
    """Add the step about the age of the newest cosignature."""
    name = "freshness"
    newest = max(times, default=None)
    told = "no trusted cosignature tells the time" if newest is None else f"newest cosignature at Unix time {newest}"
    if max_age is None:
        steps.skipped(name, "no time limit was asked for" if newest is None else told)
        return
    if newest is None:
        steps.unproven(name, told)
        return
    if now - newest > max_age:
        steps.unproven(name, "newest cosignature is too old")
        return
    steps.ok(name, told)
