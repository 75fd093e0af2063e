"""Receipts in both forms, and the trust file: round trips, forgeries, strictness."""

import hashlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from sealgate.encoding import statement
from sealgate.model.errors import AlteredError, EncodingError, EvidenceError, InputError
from sealgate.proofs import notes, tiles, tlog_proof, transparent, tree, trust

KEY = SigningKey(b"\x05" * 32)
PUBLIC = KEY.verify_key.encode()
ORIGIN = "ledger.example/acme"
CLAIMS = statement.Claims(statement.key_id(PUBLIC), "urn:sealgate:authority:a", "urn:x", 1_790_000_000, bytes(16), 3)
STATEMENT = statement.assemble(statement.encode_claims(CLAIMS), bytes(32), bytes(64))
NOTE = b"ledger.example/acme\n8\nERERERERERERERERERERERERERERERERERERERERERE=\n\n" + ("— x AAAAAAAA\n".encode())


def _receipt(index=2, size=8, **changed):
    leaves = [tree.leaf_hash(b"%d" % number) for number in range(size)]
    leaves[index] = tree.leaf_hash(statement.entry_of(STATEMENT))
    store = {(0, 0): b"".join(leaves)}
    read = lambda level, number, width: store[level, number][: width * 32]  # noqa: E731
    protected = transparent.receipt_protected(
        kid=statement.key_id(PUBLIC), issuer="urn:log", origin=ORIGIN, tree_size=size
    )
    root = tiles.root(size, read)
    signature = KEY.sign(transparent.receipt_signing_input(protected, root)).signature
    parts = {"size": size, "index": index, "path": tiles.prove_inclusion(index, size, read), **changed}
    return transparent.encode_receipt(protected, signature, **parts)


def test_receipt_verifies():
    """A receipt made for a statement proves its place in the tree; cbor2 reads it too."""
    data = _receipt()

    receipt = transparent.verify_receipt(data, statement.entry_of(STATEMENT), PUBLIC)

    assert (receipt.index, receipt.size, receipt.tree_size) == (2, 8, 8)
    assert cbor2.loads(data).tag == 18


@pytest.mark.parametrize(("index", "size"), [(2, 5), (2, 6), (2, 7), (3, 8), (0, 8)])
def test_receipt_has_no_second_reading(index, size):
    """RFC 9942 leaves size and index unsigned; with our signed tree size no other pair passes."""
    entry = statement.entry_of(STATEMENT)
    control = _with_index(_receipt(), 2, 8)

    transparent.verify_receipt(control, entry, PUBLIC)
    with pytest.raises((EvidenceError, EncodingError)):
        transparent.verify_receipt(_with_index(_receipt(), index, size), entry, PUBLIC)


def _with_index(data, index, size):
    item = cbor2.loads(data)
    protected, unprotected, payload, signature = item.value
    _, _, path = cbor2.loads(unprotected[396][-1][0])
    proof = cbor2.dumps([size, index, list(path)])
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {396: {-1: [proof]}}, payload, signature]))


def test_receipt_of_another_key_or_entry_is_refused():
    """Signature and entry are bound."""
    other = SigningKey(b"\x06" * 32).verify_key.encode()

    with pytest.raises(AlteredError):
        transparent.verify_receipt(_receipt(), statement.entry_of(STATEMENT), other)
    with pytest.raises(AlteredError):
        transparent.verify_receipt(_receipt(), bytes(32), PUBLIC)
    with pytest.raises(InputError):
        transparent.encode_receipt(b"", b"", size=1, index=0, path=[])


def test_headers_of_the_receipt_are_enforced():
    """Algorithm, data structure, critical headers and a missing tree size each refuse."""
    entry = statement.entry_of(STATEMENT)
    item = cbor2.loads(_receipt())
    _, unprotected, payload, signature = item.value
    good = cbor2.loads(item.value[0])
    for changed in ({1: -7}, {395: 2}, {2: [395]}, {-65539: None}, {-65539: 9}, {4: b"short"}, {395: True}):
        header = {**good, **changed}
        header = {key: value for key, value in header.items() if value is not None}
        protected = cbor2.dumps(header, canonical=True)
        data = cbor2.dumps(cbor2.CBORTag(18, [protected, unprotected, payload, signature]), canonical=True)
        with pytest.raises(EncodingError):
            transparent.verify_receipt(data, entry, PUBLIC)


def test_transparent_statement_round_trip():
    """Receipts go in and come out, and the statement is the one that was hashed."""
    data = transparent.encode_transparent(STATEMENT, [_receipt()])

    assert (STATEMENT, [_receipt()]) == transparent.parse_transparent(data)
    for bad in (STATEMENT, data + b"\0", data[:-1], b"", b"\0" * 40_000):
        with pytest.raises(EncodingError):
            transparent.parse_transparent(bad)
    with pytest.raises(EncodingError):
        transparent.encode_transparent(data, [])


@given(st.binary(max_size=200))
def test_any_bytes_give_our_error(data):
    """No parser of receipts raises anything but our errors."""
    for parser in (transparent.parse_receipt, transparent.parse_transparent, tlog_proof.parse, trust.parse):
        with pytest.raises(EncodingError):
            parser(data)


@given(st.integers(0, 2**62), st.lists(st.binary(min_size=32, max_size=32), max_size=63), st.none() | st.binary())
def test_tlog_proofs_round_trip(index, hashes, extra):
    """What is written is parsed back, byte for byte."""
    proof = tlog_proof.TlogProof(index, tuple(hashes), NOTE, extra)

    assert proof == tlog_proof.parse(proof.encode())


PROOF = tlog_proof.TlogProof(7, (bytes(32), bytes(32)), NOTE, b"extra").encode()


@pytest.mark.parametrize(
    "data",
    [
        PROOF.replace(b"@v1", b"@v2"),
        PROOF.replace(b"index 7", b"index 07"),
        PROOF.replace(b"index 7", b"index  7"),
        PROOF.replace(b"index 7\n", b""),
        PROOF.replace(b"extra ", b"extra  "),
        PROOF.replace(b"extra ", b"Extra "),
        PROOF.replace(b"\n\n", b"\n", 1),
        PROOF.replace(b"\n", b"\r\n"),
        PROOF.replace(b"AAA=\n", b"AAB=\n", 1),
        PROOF.replace(b"index 7\n", b"index 7\n" + b"AAAA\n"),
        PROOF + b"x",
        PROOF.replace(b"index 7\n", b"index 7\n" + b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" * 62),
        b"",
    ],
)
def test_malformed_proofs_are_refused(data):
    """Each looseness is an error; the unchanged proof is the control."""
    tlog_proof.parse(PROOF)

    with pytest.raises(EncodingError):
        tlog_proof.parse(data)


def _trust(**changed):
    witness = SigningKey(b"\x09" * 32).verify_key.encode()
    parts = {
        "origin": ORIGIN,
        "log": notes.VerifierKey(ORIGIN, notes.ED25519, PUBLIC),
        "root_key": PUBLIC,
        "receipt_key": PUBLIC,
        "statement_keys": (trust.StatementKey(PUBLIC, 0, 10), trust.StatementKey(witness, 10)),
        "witnesses": (notes.VerifierKey("w.example", notes.COSIGNATURE_ED25519, witness),),
        "quorum": 1,
    }
    return trust.Trust(**{**parts, **changed})


def test_trust_round_trip():
    """The file comes back as it was written, and says which key may sign where."""
    value = _trust()

    parsed = trust.parse(trust.encode(value))

    assert value == parsed
    kid = hashlib.sha256(PUBLIC).digest()[:16]
    assert parsed.statement_key(kid, 9) is parsed.statement_keys[0]
    assert parsed.statement_key(kid, 10) is None
    assert parsed.statement_key(bytes(16), 0) is None


@pytest.mark.parametrize(
    "value",
    [
        _trust(quorum=2),
        _trust(quorum=-1),
        _trust(root_key=bytes(32)),
        _trust(origin="another.example"),
        _trust(statement_keys=()),
        _trust(statement_keys=(trust.StatementKey(PUBLIC, -1),)),
        _trust(statement_keys=(trust.StatementKey(PUBLIC, 5, 4),)),
        _trust(timestamp_roots=("not a certificate",)),
        _trust(witnesses=(notes.VerifierKey("w", notes.COSIGNATURE_ED25519, PUBLIC),)),
        _trust(witnesses=(notes.VerifierKey("w", notes.ED25519, PUBLIC),)),
    ],
)
def test_senseless_trust_is_refused(value):
    """A quorum that cannot be met, weak or doubled keys, ranges that end before they begin."""
    with pytest.raises(EncodingError):
        trust.parse(trust.encode(value))


def test_trust_bytes_are_strict():
    """Another order, white space, a member more or no newline: refused."""
    good = trust.encode(_trust())

    trust.parse(good)
    for bad in (
        good[:-1],
        good + b"\n",
        b" " + good,
        good.replace(b'{"format"', b'{"extra":1,"format"'),
        good.replace(b'"quorum":1', b'"quorum":true'),
        good.replace(b'"quorum":1', b'"quorum":1.0'),
        good.replace(b'"quorum":1', b'"quorum":1,"quorum":1'),
    ):
        with pytest.raises(EncodingError):
            trust.parse(bad)
