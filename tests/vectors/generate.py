"""Writes ``receipts/``: language-neutral vectors for receipt verifiers, from fixed seeds.

``python tests/vectors/generate.py [FOLDER]``. Expected verdicts are written down by hand here, never computed by a
verifier. Files are shared between cases by content; ``manifest.json`` names, for each case, its files, its defect,
the verdict and the step that decides it.
"""

import base64
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.logmaker import ORIGIN, START, Keys, LogMaker, make_log, public, sign, to_base64
from sealgate.encoding import cbor, statement
from sealgate.proofs import notes, tiles, transparent
from sealgate.proofs.tlog_proof import TlogProof
from sealgate.proofs.trust import FormerReceiptKey, StatementKey

L = 2**252 + 27742317777372353535851937790883648493  # order of the Ed25519 base point
EM_DASH = "\N{EM DASH}"


@dataclass
class Vectors:
    """Collects cases; equal contents become one file."""

    cases: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def add(self, name: str, defect: str, verdict: str, step: str | None, **inputs: bytes | None) -> None:
        """Add one case; ``inputs`` are receipt, trust, body, prior."""
        assert name not in {case["name"] for case in self.cases}, name
        files = {key: self._store(key, data) for key, data in inputs.items() if data is not None}
        self.cases.append({"name": name, "defect": defect, "verdict": verdict, "step": step, **files})

    def _store(self, key: str, data: bytes) -> str:
        name = f"{key}/{hashlib.sha256(data).hexdigest()[:16]}"
        self.files[name] = data
        return name

    def write(self, folder: Path) -> None:
        """Write all files and the manifest."""
        for name, data in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        manifest = {"format": "sealgate-receipt-vectors/v1", "cases": self.cases}
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=True) + "\n", "utf-8")


class World:
    """One log that holds good records and, sealed and logged like any other, records of every bad form."""

    def __init__(self) -> None:
        self.log = LogMaker(Keys("vectors", witnesses=3), quorum=2)
        self.log.genesis()
        for _ in range(9):
            self.log.append()
        self.bodies = {name: self._append_body(data) for name, data, *_ in BODIES}
        self.statements = {name: self._append_statement(make) for name, _, _, make in STATEMENTS}
        while self.log.size < 300:
            self.log.append()
        self.log.publish()
        self.trust = self.log.trust()
        self.note = self.log.files["checkpoint"]
        self.receipt = self.log.proof(5).encode()
        self.body = self.log.sealed[5][1]

    def _append_body(self, body: bytes) -> int:
        return self.log.append_sealed(self.log.seal(body, sub="urn:sealgate:agent:1"), body)

    def _append_statement(self, make: "Callable[[LogMaker], bytes]") -> int:
        return self.log.append_sealed(make(self.log), None)

    def proof_of(self, index: int, note: bytes | None = None) -> bytes:
        """Return the receipt of a record."""
        return self.log.proof(index, note).encode()

    def with_note(self, change: Callable[[bytes], bytes]) -> bytes:
        """Return the good receipt with its checkpoint changed."""
        good = self.log.proof(5)
        head, _, _ = good.encode().partition(b"\n\n")
        return head + b"\n\n" + change(good.checkpoint)

    def with_head(self, change: Callable[[list[str]], list[str]]) -> bytes:
        """Return the good receipt with the lines before its checkpoint changed."""
        head, _, note = self.receipt.partition(b"\n\n")
        return "\n".join(change(head.decode().split("\n"))).encode() + b"\n\n" + note


def resigned(log: LogMaker, text: str) -> bytes:
    """Return a note over any text, properly signed by the log and its witnesses."""
    lines = [notes.SignatureLine(log.origin, log.log_key.key_id, sign(log.keys.log, text.encode()))]
    for number, key in enumerate(log.keys.witnesses):
        message = f"cosignature/v1\ntime {START}\n{text}".encode()
        blob = START.to_bytes(8, "big") + sign(key, message)
        lines.append(notes.SignatureLine(f"witness{number}.example", log.witness_key(number).key_id, blob))
    return notes.Note(text, tuple(lines)).encode()


# ---- bodies: (name, bytes, defect or "", verdict) ----------------------------------------------------------------------

ID = '"record_id":"019b76da-ea68-7638-a411-074a28f6bbdf"'


def _deep(levels: int) -> bytes:
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + f',"kind":"note",{ID}}}'.encode()


def _sized(length: int) -> bytes:
    rest = f'","kind":"note",{ID}}}'.encode()
    return b'{"a":"' + b"x" * (length - 6 - len(rest)) + rest


def _batch(length: int, kind: str) -> bytes:
    rest = f'","kind":"{kind}",{ID}}}'.encode()
    return b'{"items":"' + b"x" * (length - 10 - len(rest)) + rest


BODIES: list[tuple[str, bytes, str, str]] = [
    ("plain", f'{{"kind":"note",{ID}}}'.encode(), "", "verified"),
    ("line-separator", f'{{"a":"\u2028\u2029\x7f\u00e9\U0001f511","kind":"note",{ID}}}'.encode(), "", "verified"),
    ("escapes", f'{{"a":"\\b\\t\\n\\f\\r\\"\\\\\\u0000\\u001f/","kind":"note",{ID}}}'.encode(), "", "verified"),
    ("depth-16", _deep(16), "", "verified"),
    ("depth-17", _deep(17), "one level too deep", "altered"),
    ("32-kib", _sized(32 * 1024), "", "verified"),
    ("32-kib-and-one", _sized(32 * 1024 + 1), "one byte too long", "altered"),
    ("batch-33-kib", _batch(33 * 1024, "records.captured"), "", "verified"),
    ("batch-of-another-kind", _batch(33 * 1024, "records.capture"), "as long as a batch, and none", "altered"),
    ("safe-integers", f'{{"a":[9007199254740991,-9007199254740991,0],"kind":"note",{ID}}}'.encode(), "", "verified"),
    ("unsafe-integer", f'{{"a":9007199254740993,"kind":"note",{ID}}}'.encode(), "integer beyond 2^53-1", "altered"),
    ("integer-2-53", f'{{"a":9007199254740992,"kind":"note",{ID}}}'.encode(), "integer 2^53", "altered"),
    ("huge-integer", f'{{"a":{"9" * 400},"kind":"note",{ID}}}'.encode(), "integer of 400 digits", "altered"),
    ("float", f'{{"a":0.5,"kind":"note",{ID}}}'.encode(), "a float", "altered"),
    ("whole-float", f'{{"a":1.0,"kind":"note",{ID}}}'.encode(), "a whole number written as a float", "altered"),
    ("exponent", f'{{"a":1e3,"kind":"note",{ID}}}'.encode(), "a number with an exponent", "altered"),
    ("overflow", f'{{"a":1e400,"kind":"note",{ID}}}'.encode(), "a number that overflows to infinity", "altered"),
    ("minus-zero", f'{{"a":-0,"kind":"note",{ID}}}'.encode(), "minus zero", "altered"),
    ("nan", f'{{"a":NaN,"kind":"note",{ID}}}'.encode(), "NaN", "altered"),
    ("duplicate-key", f'{{"a":1,"a":1,"kind":"note",{ID}}}'.encode(), "a key twice, same value", "altered"),
    ("duplicate-kind", f'{{"kind":"other","kind":"note",{ID}}}'.encode(), "a key twice, other value", "altered"),
    ("unsorted", f'{{{ID},"kind":"note"}}'.encode(), "keys out of order", "altered"),
    ("space", f'{{"kind": "note",{ID}}}'.encode(), "white space", "altered"),
    ("trailing-newline", f'{{"kind":"note",{ID}}}\n'.encode(), "a newline at the end", "altered"),
    ("trailing-bytes", f'{{"kind":"note",{ID}}}{{}}'.encode(), "bytes after the value", "altered"),
    ("byte-order-mark", b"\xef\xbb\xbf" + f'{{"kind":"note",{ID}}}'.encode(), "a byte order mark", "altered"),
    ("not-utf-8", b'{"a":"\xff","kind":"note",' + ID.encode() + b"}", "not UTF-8", "altered"),
    ("utf-8-surrogate", b'{"a":"\xed\xa0\x80","kind":"note",' + ID.encode() + b"}", "a surrogate in UTF-8", "altered"),
    ("overlong-utf-8", b'{"a":"\xc0\xaf","kind":"note",' + ID.encode() + b"}", "overlong UTF-8", "altered"),
    ("lone-surrogate", f'{{"a":"\\ud800","kind":"note",{ID}}}'.encode(), "an escaped lone surrogate", "altered"),
    ("low-surrogate", f'{{"a":"\\udc00x","kind":"note",{ID}}}'.encode(), "an escaped low surrogate", "altered"),
    ("escaped-letter", f'{{"a":"\\u0061","kind":"note",{ID}}}'.encode(), "an escape that need not be", "altered"),
    ("escaped-slash", f'{{"a":"\\/","kind":"note",{ID}}}'.encode(), "an escaped slash", "altered"),
    ("upper-case-escape", f'{{"a":"\\u001F","kind":"note",{ID}}}'.encode(), "an upper-case escape", "altered"),
    ("raw-control", b'{"a":"\x01","kind":"note",' + ID.encode() + b"}", "a raw control character", "altered"),
    ("upper-case-key", f'{{"A":1,"kind":"note",{ID}}}'.encode(), "a key outside the profile", "altered"),
    ("proto-key", f'{{"__proto__":1,"kind":"note",{ID}}}'.encode(), "the key __proto__", "altered"),
    ("constructor-key", f'{{"constructor":1,"kind":"note",{ID}}}'.encode(), "", "verified"),
    ("key-of-64", f'{{"{"a" * 64}":1,"kind":"note",{ID}}}'.encode(), "", "verified"),
    ("key-of-65", f'{{"{"a" * 65}":1,"kind":"note",{ID}}}'.encode(), "a key of 65 characters", "altered"),
    ("key-newline", f'{{"a\\n":1,"kind":"note",{ID}}}'.encode(), "a key that ends in a newline", "altered"),
    ("empty-key", f'{{"":1,"kind":"note",{ID}}}'.encode(), "an empty key", "altered"),
    ("array", b"[]", "not an object", "altered"),
    ("null", b"null", "not an object", "altered"),
    ("empty", b"", "no bytes", "altered"),
    ("no-kind", f"{{{ID}}}".encode(), "no kind", "altered"),
    ("kind-newline", f'{{"kind":"note\\n",{ID}}}'.encode(), "a kind that ends in a newline", "altered"),
    ("kind-number", f'{{"kind":1,{ID}}}'.encode(), "a kind that is not text", "altered"),
    ("no-record-id", b'{"kind":"note"}', "no record id", "altered"),
    ("upper-case-record-id", f'{{"kind":"note",{ID.upper().replace("RECORD_ID", "record_id")}}}'.encode(),
     "an upper-case record id", "altered"),
]  # fmt: skip


# ---- statements: (name, defect, verdict, maker) ------------------------------------------------------------------------

EPOCH = hashlib.sha256(b"epoch 0").digest()[:16]


def _map(pairs: list[tuple[bytes, bytes]]) -> bytes:
    return bytes((0xA0 | len(pairs),)) + b"".join(key + value for key, value in pairs)


def _claims(log: LogMaker, **changes: bytes | None) -> list[tuple[bytes, bytes]]:
    """Return the protected header as encoded pairs in order, some changed or left out."""
    kid = statement.key_id(public(log.keys.statement))
    pairs: dict[str, tuple[Any, bytes | None]] = {
        "alg": (1, cbor.encode(-8)),
        "kid": (4, cbor.encode(kid)),
        "claims": (15, cbor.encode({1: "urn:sealgate:authority:acme", 2: "urn:sealgate:agent:1", 6: START})),
        "hash": (258, cbor.encode(-16)),
        "type": (259, cbor.encode("application/json")),
        "epoch": (-65537, cbor.encode(EPOCH)),
        "seq": (-65538, cbor.encode(7)),
    }
    result = []
    for name, (label, value) in pairs.items():
        chosen = changes.get(name, value)
        if chosen is not None:
            result.append((cbor.encode(label), chosen))
    return result


def _sealed(log: LogMaker, protected: bytes, commitment: bytes = bytes(32)) -> tuple[bytes, bytes, bytes]:
    return protected, commitment, sign(log.keys.statement, statement.signing_input(protected, commitment))


def _with(**changes: bytes | None) -> Callable[[LogMaker], bytes]:
    """Return a maker of statements with a changed, properly signed header."""
    return lambda log: statement.assemble(*_sealed(log, _map(_claims(log, **changes))))


def _raw(change: Callable[[bytes], bytes]) -> Callable[[LogMaker], bytes]:
    """Return a maker that changes the bytes of a good statement."""
    return lambda log: change(_with()(log))


def _header(change: Callable[[list[tuple[bytes, bytes]]], bytes]) -> Callable[[LogMaker], bytes]:
    return lambda log: statement.assemble(*_sealed(log, change(_claims(log))))


def _claim_map(raw: bytes) -> Callable[[LogMaker], bytes]:
    return _with(claims=raw)


def _signature(change: Callable[[bytes], bytes]) -> Callable[[LogMaker], bytes]:
    return _raw(lambda data: data[:-64] + change(data[-64:]))


def _plus_order(signature: bytes) -> bytes:
    scalar = int.from_bytes(signature[32:], "little") + L
    return signature[:32] + scalar.to_bytes(32, "little")


_GOOD_CLAIMS = {1: "urn:sealgate:authority:acme", 2: "urn:sealgate:agent:1", 6: START}
ALTERED = "altered"
STATEMENTS: list[tuple[str, str, str, Callable[[LogMaker], bytes]]] = [
    ("ed25519-algorithm", "", "verified", _with(alg=cbor.encode(-19))),
    ("largest-sequence", "", "verified", _with(seq=cbor.encode(2**64 - 1))),
    ("es256-algorithm", "an algorithm that is not Ed25519", ALTERED, _with(alg=cbor.encode(-7))),
    ("no-algorithm", "no algorithm", ALTERED, _with(alg=None)),
    ("text-algorithm", "an algorithm named by text", ALTERED, _with(alg=cbor.encode("EdDSA"))),
    ("other-hash", "a hash that is not SHA-256", ALTERED, _with(hash=cbor.encode(-43))),
    ("no-hash", "not a hash envelope", ALTERED, _with(hash=None)),
    ("other-type", "another content type", ALTERED, _with(type=cbor.encode("application/cbor"))),
    ("short-key-id", "a key id of 15 bytes", ALTERED, _with(kid=cbor.encode(bytes(15)))),
    ("unknown-key-id", "a key that nobody trusts", "not_proven", _with(kid=cbor.encode(bytes(16)))),
    ("short-epoch", "an epoch of 8 bytes", ALTERED, _with(epoch=cbor.encode(bytes(8)))),
    ("no-sequence", "no sequence number", ALTERED, _with(seq=None)),
    ("negative-sequence", "a negative sequence number", ALTERED, _with(seq=cbor.encode(-1))),
    ("true-sequence", "true as a sequence number", ALTERED, _with(seq=b"\xf5")),
    ("float-sequence", "a float as a sequence number", ALTERED, _with(seq=b"\xf9\x3c\x00")),
    ("undefined-sequence", "CBOR's undefined", ALTERED, _with(seq=b"\xf7")),
    ("bignum-sequence", "a tagged bignum", ALTERED, _with(seq=b"\xc2\x41\x07")),
    ("long-sequence", "an integer not in its shortest form", ALTERED, _with(seq=b"\x18\x07")),
    ("longer-sequence", "an integer in eight bytes that fits one", ALTERED, _with(seq=b"\x1b" + bytes(7) + b"\x07")),
    ("indefinite-text", "a text of indefinite length", ALTERED, _with(type=b"\x7f\x70application/json\xff")),
    ("indefinite-header", "a map of indefinite length", ALTERED,
     _header(lambda pairs: b"\xbf" + b"".join(k + v for k, v in pairs) + b"\xff")),
    ("duplicate-label", "a label twice", ALTERED, _header(lambda pairs: _map([pairs[0], *pairs]))),
    ("unsorted-labels", "labels out of order", ALTERED, _header(lambda pairs: _map([pairs[1], pairs[0], *pairs[2:]]))),
    ("critical-label", "a critical header", ALTERED,
     _header(lambda pairs: _map([pairs[0], (b"\x02", b"\x81\x04"), *pairs[1:]]))),
    ("more-labels", "a label that is not ours", ALTERED,
     _header(lambda pairs: _map([*pairs, (cbor.encode(-65540), b"\x01")]))),
    ("text-label", "a text label that is not ours", ALTERED, _header(lambda pairs: _map([*pairs, (b"\x61a", b"\x01")]))),
    ("bytes-label", "a label that is a byte string", ALTERED, _header(lambda pairs: _map([*pairs, (b"\x41a", b"\x01")]))),
    ("header-trailing", "bytes after the header's map", ALTERED, _header(lambda pairs: _map(pairs) + b"\x00")),
    ("header-empty", "an empty header", ALTERED, _header(lambda _: b"")),
    ("header-array", "a header that is an array", ALTERED, _header(lambda _: b"\x80")),
    ("no-subject", "claims without a subject", ALTERED, _claim_map(cbor.encode({1: "a", 6: START}))),
    ("more-claims", "a claim that is not ours", ALTERED, _claim_map(cbor.encode({**_GOOD_CLAIMS, 7: b"x"}))),
    ("bytes-subject", "a subject that is not text", ALTERED, _claim_map(cbor.encode({**_GOOD_CLAIMS, 2: b"x"}))),
    ("text-time", "a time that is text", ALTERED, _claim_map(cbor.encode({**_GOOD_CLAIMS, 6: "now"}))),
    ("negative-time", "a negative time", ALTERED, _claim_map(cbor.encode({**_GOOD_CLAIMS, 6: -1}))),
    ("subject-not-utf-8", "a subject that is not UTF-8", ALTERED, _claim_map(b"\xa3\x01\x61a\x02\x61\xff\x06\x00")),
    ("unprotected-label", "an unprotected header", ALTERED, _raw(lambda data: data.replace(b"\xa0\x58\x20", b"\xa1\x04\x41a\x58\x20"))),
    ("long-commitment", "a commitment of 33 bytes", ALTERED,
     _raw(lambda data: data.replace(b"\xa0\x58\x20", b"\xa0\x58\x21") [:-66] + b"\x00" + data[-66:])),
    ("nil-commitment", "a detached payload", ALTERED,
     _raw(lambda data: data[:-100] + b"\xf6" + data[-66:])),
    ("trailing-byte", "a byte after the statement", ALTERED, _raw(lambda data: data + b"\x00")),
    ("long-bstr-head", "a byte string head not in its shortest form", ALTERED,
     _raw(lambda data: data[:-66] + b"\x59\x00\x40" + data[-64:])),
    ("wrong-tag", "another tag", ALTERED, _raw(lambda data: b"\xd1" + data[1:])),
    ("no-tag", "no tag", ALTERED, _raw(lambda data: data[1:])),
    ("signature-flipped", "one bit of the signature flipped", ALTERED, _signature(lambda s: s[:9] + bytes((s[9] ^ 1,)) + s[10:])),
    ("signature-zero", "a signature of zeros", ALTERED, _signature(lambda _: bytes(64))),
    ("signature-plus-order", "S not reduced: a second encoding of one signature", ALTERED, _signature(_plus_order)),
    ("signature-short", "a signature of 63 bytes", ALTERED, _raw(lambda data: data[:-66] + b"\x58\x3f" + data[-63:])),
    ("signature-small-order", "R is the identity and S is 0", ALTERED, _signature(lambda _: b"\x01" + bytes(63))),
    ("too-long", "over 4096 bytes", ALTERED, _claim_map(cbor.encode({**_GOOD_CLAIMS, 2: "x" * 4096}))),
    ("too-deep", "nested too deeply", ALTERED, _with(seq=b"\x81" * 9 + b"\x00")),
    ("array-longer-than-input", "an array of 2^32 items in a few bytes", ALTERED, _with(seq=b"\x9a\xff\xff\xff\xff")),
]  # fmt: skip


def body_cases(vectors: Vectors, world: World) -> None:
    """Bodies of every form, each with a receipt that is itself in order."""
    for name, data, defect, verdict in BODIES:
        receipt = world.proof_of(world.bodies[name])
        step = "body" if defect else None
        vectors.add(f"body-{name}", defect, verdict, step, receipt=receipt, trust=world.trust, body=data)


def statement_cases(vectors: Vectors, world: World) -> None:
    """Statements of every form, each properly logged; some also alone."""
    for name, defect, verdict, _ in STATEMENTS:
        receipt = world.proof_of(world.statements[name])
        step = "statement" if defect else None
        vectors.add(f"statement-{name}", defect, verdict, step, receipt=receipt, trust=world.trust)
    alone = world.log.sealed[5][0]
    vectors.add("bare-statement", "not yet in the log", "not_proven", "inclusion", receipt=alone, trust=world.trust)
    vectors.add("bare-statement-with-body", "not yet in the log", "not_proven", "inclusion", receipt=alone,
                trust=world.trust, body=world.body)  # fmt: skip
    vectors.add("bare-statement-other-body", "another record's body", ALTERED, "body", receipt=alone,
                trust=world.trust, body=world.log.sealed[6][1])  # fmt: skip
    vectors.add("bare-statement-no-trust", "nothing proven, nobody trusted", "not_proven", "inclusion", receipt=alone)
    flipped = alone[:-1] + bytes((alone[-1] ^ 1,))
    vectors.add("bare-statement-flipped", "one bit flipped", ALTERED, "statement", receipt=flipped, trust=world.trust)
    vectors.add("bare-statement-trailing", "a byte more", ALTERED, "form", receipt=alone + b"\0", trust=world.trust)
    vectors.add("not-a-receipt", "some text", "unreadable", "form", receipt=b"hello\n", trust=world.trust)
    vectors.add("empty-receipt", "no bytes", "unreadable", "form", receipt=b"", trust=world.trust)


def proof_cases(vectors: Vectors, world: World) -> None:
    """The tlog-proof's own lines."""
    trust, log = world.trust, world.log

    def good(name: str, defect: str = "", **more: bytes | None) -> None:
        vectors.add(name, defect, "verified", None, **{"receipt": world.receipt, "trust": trust, **more})

    def bad(
        name: str, defect: str, change: Callable[[list[str]], list[str]], step: str = "form", verdict: str = ALTERED
    ) -> None:
        vectors.add(f"proof-{name}", defect, verdict, step, receipt=world.with_head(change), trust=trust)

    good("good")
    good("good-with-body", body=world.body)
    good("good-genesis", receipt=world.proof_of(0), body=log.sealed[0][1])
    good("good-last-record", receipt=world.proof_of(log.size - 1), body=log.sealed[-1][1])
    good("good-with-prior", prior=world.note)
    one = make_log(1, keys=log.keys, quorum=2)
    good("good-tree-of-one", receipt=one.proof(0).encode())
    vectors.add("no-trust", "", "self_consistent", None, receipt=world.receipt, body=world.body)
    vectors.add(
        "other-body",
        "another record's body",
        ALTERED,
        "body",
        receipt=world.receipt,
        trust=trust,
        body=log.sealed[6][1],
    )
    vectors.add(
        "other-body-no-trust", "another record's body", ALTERED, "body", receipt=world.receipt, body=log.sealed[6][1]
    )

    bad("other-index", "the index of its neighbour", lambda x: [*x[:2], "index 4", *x[3:]], "inclusion")
    bad(
        "index-at-size",
        "an index outside the tree",
        lambda x: [*x[:2], f"index {log.size}", *x[3:]],
        "inclusion",
        "not_proven",
    )
    bad("index-leading-zero", "a leading zero", lambda x: [*x[:2], "index 05", *x[3:]])
    bad("index-plus", "a plus sign", lambda x: [*x[:2], "index +5", *x[3:]])
    bad("index-minus", "a minus sign", lambda x: [*x[:2], "index -5", *x[3:]])
    bad("index-underscore", "an underscore", lambda x: [*x[:2], "index 0_5", *x[3:]])
    bad("index-arabic", "an Arabic digit", lambda x: [*x[:2], "index \u0665", *x[3:]])
    bad("index-space", "a second space", lambda x: [*x[:2], "index  5", *x[3:]])
    bad("index-empty", "no number", lambda x: [*x[:2], "index ", *x[3:]])
    bad("index-2-63", "an index of 2^63", lambda x: [*x[:2], f"index {2**63}", *x[3:]])
    bad("index-missing", "no index line", lambda x: [*x[:2], *x[3:]])
    bad("index-twice", "two index lines", lambda x: [*x[:3], *x[2:]])
    bad("extra-missing", "no statement", lambda x: [x[0], *x[2:]])
    bad("extra-empty", "an empty statement", lambda x: [x[0], "extra ", *x[2:]], "statement")
    bad("extra-late", "index before extra", lambda x: [x[0], x[2], x[1], *x[3:]])
    bad(
        "extra-other",
        "another record's statement",
        lambda x: [x[0], f"extra {to_base64(log.sealed[6][0])}", *x[2:]],
        "inclusion",
    )
    bad("extra-spaced", "base64 with a space", lambda x: [x[0], x[1][:20] + " " + x[1][20:], *x[2:]])
    bad("header-v2", "version 2", lambda x: [x[0][:-1] + "2", *x[1:]])
    bad("header-space", "a space after the header", lambda x: [x[0] + " ", *x[1:]])
    bad("crlf", "lines that end in CR LF", lambda x: [line + "\r" for line in x])
    bad("path-short", "the last hash missing", lambda x: x[:-1], "inclusion", "not_proven")
    bad("path-none", "no hashes", lambda x: x[:3], "inclusion", "not_proven")
    bad("path-long", "a hash too many", lambda x: [*x, x[-1]], "inclusion", "not_proven")
    bad("path-swapped", "two hashes swapped", lambda x: [*x[:3], x[4], x[3], *x[5:]], "inclusion")
    bad("path-zero", "a hash of zeros", lambda x: [*x[:3], to_base64(bytes(32)), *x[4:]], "inclusion")
    bad("path-31-bytes", "a hash of 31 bytes", lambda x: [*x[:3], to_base64(bytes(31)), *x[4:]])
    bad("path-64", "64 hashes", lambda x: [*x[:3], *[to_base64(bytes(32))] * 64])
    bad("path-63", "63 hashes", lambda x: [*x[:3], *[to_base64(bytes(32))] * 63], "inclusion", "not_proven")
    bad("path-url-safe", "URL-safe base64", lambda x: [*x[:3], to_base64(b"\xff" * 32).replace("/", "_"), *x[4:]])
    bad("path-no-padding", "base64 without padding", lambda x: [*x[:3], x[3].rstrip("="), *x[4:]])
    bad("path-pad-bits", "base64 with pad bits set", lambda x: [*x[:3], _pad_bits(x[3]), *x[4:]])
    bad("path-empty-line", "nothing but a header before the blank line", lambda x: [x[0], "", *x[1:]])
    bad("path-nul", "a NUL character", lambda x: [*x[:3], x[3] + "\0", *x[4:]])
    head = world.receipt.partition(b"\n\n")[0]
    vectors.add("proof-no-checkpoint", "no checkpoint", ALTERED, "form", receipt=head + b"\n", trust=trust)
    vectors.add("proof-empty-checkpoint", "an empty checkpoint", ALTERED, "form", receipt=head + b"\n\n", trust=trust)
    vectors.add(
        "proof-too-long", "over the size limit", ALTERED, "form", receipt=world.receipt + b"x" * 80_000, trust=trust
    )
    vectors.add("proof-leaf-node", "two inner hashes passed off as an entry", ALTERED, "statement",
                receipt=_leaf_node(world), trust=trust)  # fmt: skip


def _pad_bits(line: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return line[:-2] + alphabet[alphabet.index(line[-2]) | 1] + "="


def _leaf_node(world: World) -> bytes:
    """Return a receipt whose statement is the preimage of an inner node."""
    leaves = world.log.read_tile(0, 0, 256)
    path = world.log.proof(4).hashes[1:]
    return TlogProof(2, path, world.note, leaves[128:192]).encode()


def note_cases(vectors: Vectors, world: World) -> None:
    """The checkpoint inside a receipt."""
    log, trust = world.log, world.trust
    text, _, signatures = world.note.decode().partition("\n\n")
    text += "\n"
    lines = signatures.splitlines(keepends=True)
    other = Keys("somebody else", witnesses=3)

    def bad(name: str, defect: str, note: str | bytes, step: str = "form", verdict: str = ALTERED) -> None:
        data = note.encode() if isinstance(note, str) else note
        vectors.add(f"note-{name}", defect, verdict, step, receipt=world.with_note(lambda _: data), trust=trust)

    def signed(change: Callable[[str], str]) -> bytes:
        return resigned(log, change(text))

    def line(name: str, key: notes.VerifierKey, blob: bytes) -> str:
        return notes.SignatureLine(name, key.key_id, blob).encode()

    whole = lambda *parts: text + "\n" + "".join(parts)  # noqa: E731  # a local shorthand
    bad("unknown-line", "", whole(f"{EM_DASH} stranger.example {to_base64(bytes(76))}\n", *lines), "", "verified")
    bad("two-of-three", "", whole(*lines[:3]), "", "verified")
    bad("one-of-two", "a quorum that is not met", whole(*lines[:2]), "checkpoint", "not_proven")
    bad("same-witness-twice", "one witness counted twice", whole(*lines[:2], lines[1]), "checkpoint", "not_proven")
    bad("no-log-signature", "cosigned but not signed", whole(*lines[1:]), "checkpoint", "not_proven")
    bad("bad-log-signature", "a bad line of the log key",
        whole(line(log.origin, log.log_key, bytes(64)), *lines[1:]), "checkpoint")  # fmt: skip
    bad("good-and-bad-log-line", "a bad line beside a good one of the log key",
        whole(*lines, line(log.origin, log.log_key, bytes(64))), "checkpoint")  # fmt: skip
    bad("bad-witness", "a bad line of a known witness",
        whole(*lines[:3], line("witness2.example", log.witness_key(2), bytes(72))), "checkpoint")  # fmt: skip
    bad("short-witness", "a cosignature that is too short",
        whole(*lines[:3], line("witness2.example", log.witness_key(2), bytes(71))), "checkpoint")  # fmt: skip
    bad("late-witness", "a cosignature time of 2^63",
        whole(*lines[:3], line("witness2.example", log.witness_key(2), b"\x80" + bytes(71))), "checkpoint")  # fmt: skip
    moved = notes.parse(world.note).signatures[1].signature
    bad("cosignature-as-log", "a cosignature under the log's name",
        whole(line(log.origin, log.log_key, moved[8:]), *lines[1:]), "checkpoint")  # fmt: skip
    stranger = LogMaker(other).checkpoint(log.size, log.builder.root())
    bad("other-log-key", "the same origin under another key", stranger, "checkpoint", "not_proven")
    foreign = LogMaker(log.keys, origin="log.example/other")
    bad(
        "other-origin",
        "another log of the same keys",
        foreign.checkpoint(log.size, log.builder.root()),
        "checkpoint",
        "not_proven",
    )
    bad("other-root", "another tree of the same size", log.checkpoint(root=bytes(32)), "inclusion")
    bad("smaller-size", "a smaller size with the same root", log.checkpoint(size=5), "inclusion", "not_proven")
    bad("other-size", "a size that changes the path's shape", log.checkpoint(size=600), "inclusion", "not_proven")
    bad("empty-log", "an empty log with a wrong root", log.checkpoint(size=0), "checkpoint")
    bad(
        "flipped-root",
        "one character of the root changed",
        world.note.replace(text.split("\n")[2][:4].encode(), b"AAAA"),
        "checkpoint",
    )
    bad("size-leading-zero", "a leading zero", signed(lambda t: t.replace("\n300\n", "\n0300\n")), "checkpoint")
    bad("size-plus", "a plus sign", signed(lambda t: t.replace("\n300\n", "\n+300\n")), "checkpoint")
    bad("size-space", "a space", signed(lambda t: t.replace("\n300\n", "\n300 \n")), "checkpoint")
    bad("size-arabic", "Arabic digits", signed(lambda t: t.replace("\n300\n", "\n\u0663\u0660\u0660\n")), "checkpoint")
    bad("size-2-63", "a size of 2^63", signed(lambda t: t.replace("\n300\n", f"\n{2**63}\n")), "checkpoint")
    bad(
        "root-31-bytes",
        "a root of 31 bytes",
        signed(lambda t: "\n".join([*t.split("\n")[:2], to_base64(bytes(31)), ""])),
        "checkpoint",
    )
    bad(
        "root-pad-bits",
        "a root with pad bits set",
        signed(lambda t: "\n".join([*t.split("\n")[:2], _pad_bits(t.split("\n")[2]), ""])),
        "checkpoint",
    )
    bad("extension-line", "an extension line", signed(lambda t: t + "more\n"), "checkpoint")
    bad("two-lines", "no root", signed(lambda t: "\n".join([*t.split("\n")[:2], ""])), "checkpoint")
    bad("empty-origin", "an empty origin", signed(lambda t: t.replace(ORIGIN, "")), "checkpoint")
    bad(
        "blank-line-before",
        "a blank line inside the text",
        signed(lambda t: t.replace("\n300", "\n\n300")),
        "checkpoint",
    )
    bad(
        "line-separator",
        "U+2028 instead of a newline",
        signed(lambda t: t.replace("\n300\n", "\u2028300\u2028")),
        "checkpoint",
    )
    bad("carriage-return", "a carriage return", signed(lambda t: t.replace("\n300\n", "\r\n300\n")))
    bad("tab", "a tab", signed(lambda t: t.replace("\n300\n", "\n300\t\n")))
    bad("not-utf-8", "not UTF-8", world.note.replace(b"log.example", b"log.ex\xffmple", 1))
    bad("byte-order-mark", "a byte order mark", signed(lambda t: "\ufeff" + t), "checkpoint", "not_proven")
    bad("no-final-newline", "no newline at the end", world.note[:-1])
    bad("no-signatures", "no signatures", text + "\n")
    bad("no-blank-line", "no blank line", text + "".join(lines))
    bad("blank-line-after", "a blank line after the signatures", whole(*lines) + "\n")
    bad("hyphen", "a hyphen for the dash", whole(lines[0].replace(EM_DASH, "-"), *lines[1:]))
    bad("en-dash", "an en dash", whole(lines[0].replace(EM_DASH, "\N{EN DASH}"), *lines[1:]))
    bad("two-spaces", "two spaces", whole(lines[0].replace(" log", "  log"), *lines[1:]))
    bad("trailing-space", "a space at the end of a line", whole(lines[0][:-1] + " \n", *lines[1:]))
    bad("no-name", "no name", whole(*lines, f"{EM_DASH} {to_base64(bytes(68))}\n"))
    bad("plus-in-name", "a plus in a name", whole(*lines, f"{EM_DASH} a+b {to_base64(bytes(68))}\n"))
    bad("next-line-in-name", "U+0085 in a name", whole(*lines, f"{EM_DASH} a\u0085b {to_base64(bytes(68))}\n"))
    bad("space-in-name", "U+00A0 in a name", whole(*lines, f"{EM_DASH} a\u00a0b {to_base64(bytes(68))}\n"))
    bad("feff-in-name", "", whole(*lines, f"{EM_DASH} a\ufeffb {to_base64(bytes(68))}\n"), "", "verified")
    bad("long-name", "a name of 256 bytes", whole(*lines, f"{EM_DASH} {'a' * 256} {to_base64(bytes(68))}\n"))
    bad("short-signature", "a signature of 4 bytes", whole(*lines, f"{EM_DASH} a {to_base64(bytes(4))}\n"))
    bad("signature-pad-bits", "pad bits set in a stranger's signature", whole(*lines, f"{EM_DASH} a AAAAAAB=\n"))
    bad("64-signatures", "", whole(*lines, *[f"{EM_DASH} a {to_base64(bytes(68))}\n"] * 60), "", "verified")
    bad("65-signatures", "65 signatures", whole(*lines, *[f"{EM_DASH} a {to_base64(bytes(68))}\n"] * 61))
    bad("too-long", "over 64 KiB", whole(*lines, f"{EM_DASH} a {to_base64(bytes(50_000))}\n"))


def trust_cases(vectors: Vectors, world: World) -> None:
    """The trust file: whatever is wrong with it, nothing was checked."""
    log, good = world.log, world.trust
    statement_key = public(log.keys.statement)

    def bad(name: str, defect: str, data: bytes, verdict: str = "unreadable", step: str = "form") -> None:
        vectors.add(f"trust-{name}", defect, verdict, step, receipt=world.receipt, trust=data)

    def changed(**changes: Any) -> bytes:
        value = json.loads(good) | changes
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"

    def keyed(raw: bytes) -> list[dict[str, Any]]:
        return [{"from_index": 0, "kid": statement.key_id(raw).hex(), "public_key": to_base64(raw), "to_index": None}]

    entry = keyed(statement_key)[0]
    bad("no-newline", "no newline at the end", good[:-1])
    bad("two-newlines", "two newlines at the end", good + b"\n")
    bad("crlf", "CR LF at the end", good[:-1] + b"\r\n")
    bad("empty", "no bytes", b"")
    bad("indented", "indented", json.dumps(json.loads(good), indent=1, sort_keys=True).encode() + b"\n")
    bad("duplicate-member", "a member twice", good.replace(b'"quorum":2', b'"quorum":0,"quorum":2'))
    bad("other-format", "another format", changed(format="sealgate-trust/v2"))
    bad("more-members", "a member that is not ours", changed(more=1))
    bad("missing-member", "no quorum", good.replace(b'"quorum":2,', b""))
    bad("quorum-too-high", "a quorum that cannot be met", changed(quorum=4))
    bad("quorum-negative", "a negative quorum", changed(quorum=-1))
    bad("quorum-true", "true as quorum", changed(quorum=True))
    bad("quorum-float", "2.0 as quorum", good.replace(b'"quorum":2', b'"quorum":2.0'))
    bad("origin-number", "an origin that is not text", changed(origin=1))
    bad("origin-other", "the log key's name is not the origin", changed(origin="log.example/other"))
    bad("log-cosignature-type", "a cosignature key as log key", changed(log=log.witness_key(0).encode()))
    bad(
        "log-hash",
        "a verifier key that does not fit its id",
        changed(log=log.log_key.encode().replace("+", "+0", 1)[:-1]),
    )
    flipped_id = f"{log.origin}+{log.log_key.key_id[::-1].hex()}+{log.log_key.encode().rpartition('+')[2]}"
    bad("log-key-id", "a key id that does not fit", changed(log=flipped_id))
    bad("witness-log-type", "a log key as witness", changed(witnesses=[log.log_key.encode()], quorum=1))
    bad("witness-twice", "one witness twice", changed(witnesses=[log.witness_key(0).encode()] * 2))
    same = notes.VerifierKey("w", notes.COSIGNATURE_ED25519, public(log.keys.log)).encode()
    bad("witness-is-log", "the log's key as its own witness", changed(witnesses=[same], quorum=1))
    bad("witnesses-object", "witnesses that are no list", changed(witnesses={}, quorum=0))
    bad("no-statement-keys", "no statement keys", changed(statement_keys=[]))
    bad("kid-other", "a kid that does not fit its key", changed(statement_keys=[entry | {"kid": "00" * 16}]))
    bad(
        "range-backwards",
        "a range that ends before it begins",
        changed(statement_keys=[entry | {"from_index": 9, "to_index": 8}]),
    )
    bad("range-true", "true as an index", changed(statement_keys=[entry | {"from_index": True}]))
    bad("range-negative", "a negative index", changed(statement_keys=[entry | {"from_index": -1}]))
    bad("range-missing", "no to_index", changed(statement_keys=[{k: v for k, v in entry.items() if k != "to_index"}]))
    bad("key-short", "a key of 31 bytes", changed(statement_keys=keyed(statement_key[:31])))
    bad("receipt-key-url-safe", "URL-safe base64", changed(receipt_key=base64.urlsafe_b64encode(b"\xff" * 32).decode()))
    former = {"kid": "00" * 16, "public_key": to_base64(statement_key), "revoked": False, "to_index": 9}
    former |= {"kid": entry["kid"]}
    bad("former-empty", "an empty list of former receipt keys", changed(former_receipt_keys=[]))
    bad("former-object", "former receipt keys that are no list", changed(former_receipt_keys={"a": 1}))
    bad(
        "former-kid",
        "a former receipt key with another key's id",
        changed(former_receipt_keys=[former | {"kid": "00" * 16}]),
    )
    bad("former-revoked-text", "a text as revoked", changed(former_receipt_keys=[former | {"revoked": "no"}]))
    bad("former-end-negative", "a negative end", changed(former_receipt_keys=[former | {"to_index": -1}]))
    bad("former-more", "one more member", changed(former_receipt_keys=[former | {"from_index": 0}]))
    bad(
        "former-weak",
        "a weak former receipt key",
        changed(former_receipt_keys=[former | {"public_key": to_base64(WEAK_KEYS["identity"])}]),
    )
    bad("timestamp-root-text", "a timestamp root that is no certificate", changed(timestamp_roots=["x"]))
    for name, raw in WEAK_KEYS.items():
        bad(f"weak-key-{name}", f"a weak or malformed key: {name}", changed(statement_keys=keyed(raw)))
    bad("weak-root-key", "a weak root key", changed(root_key=to_base64(WEAK_KEYS["identity"])))
    key = StatementKey
    bad("key-retired", "the key was retired before this index",
        log.trust(statement_keys=(key(statement_key, 0, 5),)), ALTERED, "statement")  # fmt: skip
    bad("key-not-yet", "the key is valid only later",
        log.trust(statement_keys=(key(statement_key, 6, None),)), ALTERED, "statement")  # fmt: skip
    bad(
        "key-other",
        "another key",
        log.trust(statement_keys=(key(public(log.keys.root), 0, None),)),
        "not_proven",
        "statement",
    )
    bad("key-just-in-range", "", log.trust(statement_keys=(key(statement_key, 5, 6),)), "verified", "")
    bad(
        "key-two-ranges",
        "",
        log.trust(statement_keys=(key(statement_key, 0, 1), key(statement_key, 5, None))),
        "verified",
        "",
    )
    bad("quorum-zero", "", log.trust(quorum=0, witnesses=()), "verified", "")
    bad(
        "other-origin-signed",
        "trust in another log",
        LogMaker(log.keys, origin="log.example/other").trust(),
        "not_proven",
        "checkpoint",
    )


def _point(y: int, sign_bit: int = 0) -> bytes:
    return (y | sign_bit << 255).to_bytes(32, "little")


P = 2**255 - 19
WEAK_KEYS = {
    "identity": _point(1),
    "identity-signed": _point(1, 1),
    "order-2": _point(P - 1),
    "order-4": _point(0),
    "order-8": _point(2707385501144840649318225287225658788936804267575313519463743609750303402022),
    "not-canonical-0": _point(P),
    "not-canonical-1": _point(P + 1),
    "not-canonical-large": _point(2**255 - 1),
    "not-on-curve": _point(2),
}


def transparent_cases(vectors: Vectors, world: World) -> None:
    """RFC 9943 transparent statements."""
    log = world.log
    trust = log.trust(quorum=0)
    sealed = log.sealed[5][0]
    receipt = log.cose_receipt(5)

    def case(
        name: str, defect: str, data: bytes, verdict: str = ALTERED, step: str = "form", **more: bytes | None
    ) -> None:
        vectors.add(f"transparent-{name}", defect, verdict, step, **{"receipt": data, "trust": trust, **more})

    def of(*receipts: bytes, statement_bytes: bytes = sealed) -> bytes:
        return transparent.encode_transparent(statement_bytes, receipts)

    def crafted(
        header: dict[Any, Any] | None = None,
        unprotected: Any = None,
        payload: Any = None,
        signature: bytes | None = None,
    ) -> bytes:
        tag = cbor.decode(receipt)
        assert isinstance(tag, cbor.Tag)
        parts: Any = tag.value
        protected = parts[0] if header is None else cbor.encode(header)
        own = sign(log.keys.receipt, transparent.receipt_signing_input(protected, log.builder.root()))
        return cbor.encode(cbor.Tag(18, [protected, unprotected or parts[1], payload, signature or own]))

    decoded: Any = cbor.decode(receipt)
    header: dict[Any, Any] = dict(cbor.decode(decoded.value[0]))  # type: ignore[call-overload]
    path = tiles.prove_inclusion(5, log.size, log.read_tile)

    def proof(size: Any, index: Any, hashes: Any, count: int = 1) -> dict[Any, Any]:
        return {396: {-1: [cbor.encode([size, index, hashes])] * count}}

    case("good", "", of(receipt), "verified", "")
    case("good-with-body", "", of(receipt), "verified", "", body=world.body)
    case("no-trust", "", of(receipt), "self_consistent", "", trust=None)
    case(
        "quorum-asked",
        "a quorum that this format cannot show",
        of(receipt),
        "not_proven",
        "checkpoint",
        trust=world.trust,
    )
    foreign = log.cose_receipt(5, kid=bytes(16))
    case("second-receipt-ours", "", of(foreign, receipt), "verified", "")
    case("other-key-id", "a receipt of a key that is not trusted", of(foreign), "not_proven", "tree head")
    case(
        "other-origin",
        "a receipt of another log",
        of(log.cose_receipt(5, origin="log.example/other")),
        "not_proven",
        "tree head",
    )
    case(
        "other-statement",
        "another record's statement",
        of(receipt, statement_bytes=log.sealed[6][0]),
        ALTERED,
        "inclusion",
    )
    case("other-record", "another record's receipt", of(log.cose_receipt(6)), ALTERED, "inclusion")
    case("other-body", "another record's body", of(receipt), ALTERED, "body", body=log.sealed[6][1])
    case(
        "flipped-signature",
        "one bit flipped in the receipt's signature",
        of(receipt[:-1] + bytes((receipt[-1] ^ 1,))),
        ALTERED,
        "inclusion",
    )
    key, later = public(log.keys.receipt), public(log.keys.named("later receipt"))

    def replaced(to_index: int | None, *, revoked: bool = False) -> bytes:
        former = FormerReceiptKey(key, to_index, revoked)
        return log.trust(quorum=0, receipt_key=later, former_receipt_keys=(former,))

    case("retired-key", "", of(receipt), "verified", "", trust=replaced(log.size))
    case("replaced-key", "", of(receipt), "verified", "", trust=replaced(None))
    case("retired-key-later", "a key that had ended before the tree was so large", of(receipt), ALTERED, "tree head",
         trust=replaced(log.size - 1))  # fmt: skip
    case("revoked-key", "a key that was revoked", of(receipt), "not_proven", "tree head",
         trust=replaced(log.size, revoked=True))  # fmt: skip
    case("retired-key-flipped", "one bit flipped in a retired key's signature",
         of(receipt[:-1] + bytes((receipt[-1] ^ 1,))), ALTERED, "inclusion", trust=replaced(log.size))  # fmt: skip
    case("gone-key", "a key that the trust file does not name any more", of(receipt), "not_proven", "tree head",
         trust=log.trust(quorum=0, receipt_key=later))  # fmt: skip
    case(
        "with-prior",
        "a checkpoint cannot be compared with a signed root",
        of(receipt),
        "not_proven",
        "prior checkpoint",
        prior=world.note,
    )
    case("other-size", "the proof's size is not the signed one", of(crafted(unprotected=proof(301, 5, path))))
    case(
        "other-index",
        "an index that leads elsewhere",
        of(crafted(unprotected=proof(300, 4, path))),
        ALTERED,
        "inclusion",
    )
    case("index-at-size", "an index outside the tree", of(crafted(unprotected=proof(300, 300, path))))
    case("index-true", "true as an index", of(crafted(unprotected=proof(300, True, path))))
    case("index-negative", "a negative index", of(crafted(unprotected=proof(300, -1, path))))
    case("path-empty", "no hashes", of(crafted(unprotected=proof(300, 5, []))))
    case(
        "path-short",
        "the last hash missing",
        of(crafted(unprotected=proof(300, 5, path[:-1]))),
        "not_proven",
        "inclusion",
    )
    case("path-text", "a hash that is text", of(crafted(unprotected=proof(300, 5, ["x"]))))
    case("two-proofs", "two inclusion proofs", of(crafted(unprotected=proof(300, 5, path, 2))))
    case(
        "proof-four-parts",
        "a fourth member in the proof",
        of(crafted(unprotected={396: {-1: [cbor.encode([300, 5, list(path), 1])]}})),
    )
    case(
        "more-unprotected",
        "another unprotected label in the receipt",
        of(crafted(unprotected=proof(300, 5, path) | {4: b"x"})),
    )
    case(
        "consistency-too",
        "a consistency proof beside it",
        of(crafted(unprotected={396: {-1: [cbor.encode([300, 5, list(path)])], -2: [b"x"]}})),
    )
    case("size-unsigned", "no signed tree size", of(crafted({k: v for k, v in header.items() if k != -65539})))
    case("size-true", "true as tree size", of(crafted(header | {-65539: True})))
    case("other-tree", "another data structure", of(crafted(header | {395: 2})))
    case("true-tree", "true as data structure", of(crafted(header | {395: True})))
    case("no-tree", "no data structure", of(crafted({k: v for k, v in header.items() if k != 395})))
    case("es256", "another algorithm", of(crafted(header | {1: -7})))
    case("ed25519-algorithm", "", of(crafted(header | {1: -19})), "verified", "")
    case("critical", "a critical header", of(crafted(header | {2: [395]})))
    case("no-key-id", "no key id", of(crafted({k: v for k, v in header.items() if k != 4})))
    case(
        "no-claims",
        "a receipt that does not name its log",
        of(crafted({k: v for k, v in header.items() if k != 15})),
        "not_proven",
        "tree head",
    )
    case("payload", "a payload that is not detached", of(crafted(payload=log.builder.root())))
    case("signature-short", "a signature of 63 bytes", of(crafted(signature=bytes(63))))
    case("receipt-trailing", "a byte after the receipt", of(receipt + b"\0"))
    case("trailing", "a byte after the statement", of(receipt) + b"\0")
    case("nine-receipts", "nine receipts", of(*[receipt] * 9))
    parts: Any = cbor.decode(sealed)
    parts = parts.value
    whole = lambda unprotected: cbor.encode(cbor.Tag(18, [parts[0], unprotected, parts[2], parts[3]]))  # noqa: E731
    case("no-receipts", "an empty list of receipts", whole({394: []}))
    case("receipt-not-bytes", "a receipt that is not bytes", whole({394: [1]}))
    case("receipts-not-list", "a receipt outside a list", whole({394: receipt}))
    case("more-labels", "another label beside the receipts", whole({394: [receipt], 4: b"x"}))
    case("other-label", "another label and no receipts", whole({4: b"x"}))


def prior_cases(vectors: Vectors, world: World) -> None:
    """A checkpoint that the user kept."""
    log = world.log

    def case(name: str, defect: str, prior: bytes, verdict: str) -> None:
        vectors.add(
            f"prior-{name}", defect, verdict, "prior checkpoint", receipt=world.receipt, trust=world.trust, prior=prior
        )

    case("fork", "another signed root for the same size", log.checkpoint(root=bytes(32), cosigners=0), "fork")
    case("smaller", "another size: needs the log", log.checkpoint(size=7, cosigners=0), "not_proven")
    case("garbage", "not a checkpoint", b"hello\n", "unreadable")
    case("unsigned", "not signed by the log", make_log(3, keys=Keys("somebody else")).files["checkpoint"], "unreadable")
    case("other-origin", "of another log", LogMaker(log.keys, origin="log.example/other").checkpoint(), "unreadable")
    bad = world.note.replace(b"\n300\n", b"\n301\n")
    case("altered", "altered after signing", bad, "unreadable")
    vectors.add(
        "prior-no-trust",
        "nobody trusted to compare",
        "not_proven",
        "prior checkpoint",
        receipt=world.receipt,
        prior=world.note,
    )


def _mixed_order_key() -> bytes:
    """Return a public key with a component of order 2: (x, y) becomes (-x, -y)."""
    raw = int.from_bytes(public(Keys("vectors").statement), "little")
    sign_bit, y = raw >> 255, raw & (1 << 255) - 1
    return _point(P - y, sign_bit ^ 1)


WEAK_KEYS["mixed-order"] = _mixed_order_key()


def generate(folder: Path) -> Vectors:
    """Write all vectors to ``folder``."""
    vectors, world = Vectors(), World()
    for cases in (proof_cases, note_cases, statement_cases, body_cases, trust_cases, transparent_cases, prior_cases):
        cases(vectors, world)
    for case in vectors.cases:
        case["step"] = case["step"] or None
    vectors.write(folder)
    return vectors


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "receipts"
    print(f"{len(generate(target).cases)} cases in {target}")  # noqa: T201  # a generator says what it did
