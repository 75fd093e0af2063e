"""Damaged evidence: every parser of proofs gives our error, or a value that is written back byte for byte."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from sealgate.encoding import statement
from sealgate.model.errors import SealgateError
from sealgate.proofs import (
    bundles,
    checkpoints,
    cosignatures,
    notes,
    tiles,
    timestamps,
    tlog_proof,
    transparent,
    tree,
    trust,
)
from sealgate.witness import wire

KEY = SigningKey(b"\x05" * 32)
PUBLIC = KEY.verify_key.encode()
WITNESS = SigningKey(b"\x06" * 32)
ORIGIN = "ledger.example/acme"
LOG_KEY = notes.VerifierKey(ORIGIN, notes.ED25519, PUBLIC)
WITNESS_KEY = notes.VerifierKey("witness.example", notes.COSIGNATURE_ED25519, WITNESS.verify_key.encode())


def _evidence():
    claims = statement.Claims(statement.key_id(PUBLIC), "urn:a", "urn:b", 1_790_000_000, bytes(16), 3)
    signed = statement.assemble(statement.encode_claims(claims), bytes(32), bytes(64))
    leaves = [tree.leaf_hash(b"%d" % number) for number in range(7)]
    leaves[3] = tree.leaf_hash(statement.entry_of(signed))

    def read(level, index, width):
        return b"".join(leaves[:width])

    point = checkpoints.Checkpoint(ORIGIN, 7, tiles.root(7, read))
    note = checkpoints.encode(
        point,
        [
            checkpoints.sign_line(LOG_KEY, KEY.sign(point.text.encode()).signature),
            cosignatures.signature_line(WITNESS_KEY, 9, WITNESS.sign(cosignatures.message_v1(9, point.text)).signature),
        ],
    )
    path = tiles.prove_inclusion(3, 7, read)
    protected = transparent.receipt_protected(
        kid=statement.key_id(PUBLIC), issuer="urn:log", origin=ORIGIN, tree_size=7
    )
    signature = KEY.sign(transparent.receipt_signing_input(protected, point.root)).signature
    receipt = transparent.encode_receipt(protected, signature, size=7, index=3, path=path)
    trusted = trust.Trust(ORIGIN, LOG_KEY, PUBLIC, PUBLIC, (trust.StatementKey(PUBLIC, 0),), (WITNESS_KEY,), 1)
    return {
        "note": (note, lambda data: notes.parse(data).encode()),
        "tlog_proof": (tlog_proof.TlogProof(3, tuple(path), note, signed).encode(), _tlog_proof),
        "receipt": (receipt, _receipt),
        "transparent": (transparent.encode_transparent(signed, [receipt]), _transparent),
        "trust": (trust.encode(trusted), lambda data: trust.encode(trust.parse(data))),
        "request": (wire.AddCheckpoint(3, tuple(path), note).encode(), lambda data: wire.parse_request(data).encode()),
        "vkey": (LOG_KEY.encode().encode(), _vkey),
        "statements": (
            bundles.encode_statements([b"one", b"three"]),
            lambda data: bundles.encode_statements(bundles.decode_statements(data, 2)),
        ),
        "bodies": (
            bundles.encode_bodies([b"one", None, b"three"]),
            lambda data: bundles.encode_bodies(bundles.decode_bodies(data, 3)),
        ),
        "entries": (
            bundles.encode_entries([bytes(32), bytes(32)]),
            lambda data: bundles.encode_entries(bundles.decode_entries(data, 2)),
        ),
    }


def _tlog_proof(data):
    return tlog_proof.parse(data).encode()


def _receipt(data):
    parsed = transparent.parse_receipt(data)
    return transparent.encode_receipt(
        parsed.protected, parsed.signature, size=parsed.size, index=parsed.index, path=parsed.path
    )


def _transparent(data):
    return transparent.encode_transparent(*transparent.parse_transparent(data))


def _vkey(data):
    return notes.parse_vkey(data.decode("utf-8", "replace")).encode().encode()


EVIDENCE = _evidence()


@pytest.mark.parametrize("kind", EVIDENCE)
def test_undamaged_evidence_passes(kind):
    """The control: each kind is read and written back."""
    data, again = EVIDENCE[kind]

    assert again(data) == data


@pytest.mark.parametrize("kind", EVIDENCE)
@settings(max_examples=200)
@given(st.data())
def test_damaged_evidence(kind, data):
    """After a few edits: our error, or one value with one spelling; never another exception."""
    original, again = EVIDENCE[kind]
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        match data.draw(st.sampled_from(["set", "insert", "delete", "repeat", "cut"])):
            case "set":
                damaged[at] = data.draw(st.integers(0, 255))
            case "insert":
                damaged.insert(at, data.draw(st.integers(0, 255)))
            case "delete":
                del damaged[at]
            case "repeat":
                damaged[at:at] = damaged[max(0, at - 20) : at]
            case _:
                del damaged[at + 1 :]
        damaged = damaged or bytearray(b"\n")
    try:
        written = again(bytes(damaged))
    except SealgateError:
        return

    assert written == bytes(damaged)


@given(st.binary(max_size=300))
def test_any_bytes_are_no_timestamp(data):
    """Garbage gives our error."""
    with pytest.raises(SealgateError):
        timestamps.parse_response(data)
