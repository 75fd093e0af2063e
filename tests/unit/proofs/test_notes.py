"""Signed notes, checkpoints, cosignatures and quorum: what is accepted, and each forgery that is not."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import mldsa
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from sealgate.model.errors import AlteredError, EncodingError, NotProvenError
from sealgate.proofs import checkpoints, cosignatures, notes, quorum, tree
from sealgate.proofs.keys import equal_secrets, require_public_key, require_signed

ORIGIN = "ledger.example/acme"
LOG = SigningKey(b"\x01" * 32)
WITNESSES = [SigningKey(bytes([number]) * 32) for number in (2, 3, 4)]
LOG_KEY = notes.VerifierKey(ORIGIN, notes.ED25519, LOG.verify_key.encode())
WITNESS_KEYS = [
    notes.VerifierKey(f"witness.example/{number}", notes.COSIGNATURE_ED25519, key.verify_key.encode())
    for number, key in enumerate(WITNESSES)
]


def _note(*, size=5, root=b"\x11" * 32, witnesses=(0, 1), extensions=(), origin=ORIGIN, time=1_790_000_000):
    point = checkpoints.Checkpoint(origin, size, root, extensions)
    lines = [checkpoints.sign_line(LOG_KEY, LOG.sign(point.text.encode()).signature)]
    for number in witnesses:
        message = cosignatures.message_v1(time, point.text)
        signature = WITNESSES[number].sign(message).signature
        lines.append(cosignatures.signature_line(WITNESS_KEYS[number], time, signature))
    return checkpoints.encode(point, lines)


def test_the_specification_example_verifies():
    """The signed-note example of C2SP parses to text, name and key id."""
    text = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n"
    line = (
        "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC"
        "+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
    )
    data = f"{text}\n{line}".encode()

    note = notes.parse(data)

    assert text == note.text
    assert note.signatures[0].key_id.hex() == "367ba04b"
    assert data == note.encode()


def test_quorum_is_met():
    """Log signature and two of three witnesses: verified, with the witnesses' time."""
    verified = quorum.verify_checkpoint(_note(), log=LOG_KEY, witnesses=WITNESS_KEYS, quorum=2)

    assert (verified.origin, verified.size, verified.root) == (ORIGIN, 5, b"\x11" * 32)
    assert [item.time for item in verified.cosignatures] == [1_790_000_000] * 2


def test_quorum_is_missed():
    """Two cosignatures are not three, and a repeated line is still one witness."""
    note = notes.parse(_note(witnesses=(0,)))
    repeated = notes.Note(note.text, (*note.signatures, note.signatures[1])).encode()

    for data, wanted in ((_note(), 3), (repeated, 2)):
        with pytest.raises(NotProvenError, match="cosignatures"):
            quorum.verify_checkpoint(data, log=LOG_KEY, witnesses=WITNESS_KEYS, quorum=wanted)


def test_one_key_under_two_names_is_one_witness():
    """A witness cannot double itself by a second name or key."""
    twin = notes.VerifierKey("twin.example", notes.COSIGNATURE_ED25519, WITNESS_KEYS[0].public_key)
    found = [cosignatures.Cosignature(WITNESS_KEYS[0], 1), cosignatures.Cosignature(twin, 1)]

    assert quorum.count_witnesses(found) == 1
    assert quorum.count_witnesses([found[0], cosignatures.Cosignature(WITNESS_KEYS[1], 1)]) == 2


def test_a_known_but_bad_signature_rejects_the_note():
    """A line of a known key that does not verify is an alarm, not noise; of an unknown key it is ignored."""
    note = notes.parse(_note())
    bad = notes.SignatureLine(WITNESS_KEYS[0].name, WITNESS_KEYS[0].key_id, bytes(72))
    unknown = notes.SignatureLine(WITNESS_KEYS[0].name, b"\0\0\0\0", bytes(72))

    quorum.verify_checkpoint(notes.Note(note.text, (*note.signatures, unknown)).encode(), log=LOG_KEY)
    with pytest.raises(AlteredError):
        quorum.verify_checkpoint(
            notes.Note(note.text, (*note.signatures, bad)).encode(), log=LOG_KEY, witnesses=WITNESS_KEYS
        )


def test_each_part_of_the_text_is_signed():
    """Another size, root or origin under the old signatures is refused."""
    good = _note()

    for old, new in ((b"\n5\n", b"\n6\n"), (b"\nERER", b"\nERES"), (b"acme\n5", b"acmf\n5")):
        assert good.count(old) >= 1
        with pytest.raises((AlteredError, NotProvenError)):
            quorum.verify_checkpoint(good.replace(old, new, 1), log=LOG_KEY)


def test_a_cosignature_is_no_log_signature():
    """A witness key of type 0x04 cannot stand in for the log's 0x01 key, nor one log's note for another's."""
    only_witness = notes.parse(_note())
    note = notes.Note(only_witness.text, only_witness.signatures[1:]).encode()

    with pytest.raises(NotProvenError, match="log key"):
        quorum.verify_checkpoint(note, log=LOG_KEY, witnesses=WITNESS_KEYS)
    with pytest.raises(NotProvenError, match="not of"):
        quorum.verify_checkpoint(_note(origin="other.example"), log=LOG_KEY)


def test_extension_lines_are_for_other_logs():
    """Our logs have none; another log's are kept in what is signed."""
    data = _note(extensions=("Timestamp: 1",))

    assert quorum.verify_checkpoint(data, log=LOG_KEY, extensions_allowed=True).checkpoint.extensions == (
        "Timestamp: 1",
    )
    with pytest.raises(EncodingError, match="extension"):
        quorum.verify_checkpoint(data, log=LOG_KEY)


def test_the_empty_log_has_one_root():
    """Size 0 with any other root is refused."""
    assert quorum.verify_checkpoint(_note(size=0, root=tree.EMPTY_ROOT), log=LOG_KEY).size == 0
    with pytest.raises(EncodingError, match="empty log"):
        quorum.verify_checkpoint(_note(size=0), log=LOG_KEY)


def test_ml_dsa_cosignature():
    """A post-quantum witness verifies; its signature is bound to its own name, time, size and root."""
    secret = mldsa.MLDSA44PrivateKey.generate()
    key = notes.VerifierKey("pq.example", notes.COSIGNATURE_ML_DSA_44, secret.public_key().public_bytes_raw())
    message = cosignatures.message_subtree(key.name, 7, ORIGIN, 5, b"\x11" * 32)
    line = cosignatures.signature_line(key, 7, secret.sign(message))
    data = checkpoints.add_lines(_note(), [line])

    verified = quorum.verify_checkpoint(data, log=LOG_KEY, witnesses=[key], quorum=1)

    assert verified.cosignatures[0].time == 7
    assert key == notes.parse_vkey(key.encode())
    moved = checkpoints.add_lines(_note(size=6), [line])
    with pytest.raises(AlteredError):
        quorum.verify_checkpoint(moved, log=LOG_KEY, witnesses=[key], quorum=1)


GOOD = _note()


@pytest.mark.parametrize(
    "data",
    [
        GOOD[:-1],
        GOOD + b"\n",
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b"\n\n", b"\n"),
        GOOD.replace(b"\n5\n", b"\n05\n"),
        GOOD.replace(b"\n5\n", b"\n+5\n"),
        GOOD.replace(b"\n5\n", b"\n5_0\n"),
        GOOD.replace(b"\n5\n", b"\n 5\n"),
        GOOD.replace(b"\n5\n", "\n\u0665\n".encode()),
        GOOD.replace(b"\n5\n", b"\n9223372036854775808\n"),
        GOOD.replace(b"\n5\n", b"\n-5\n"),
        GOOD.replace(b"\n5\n", b"\n5\x0b\n"),
        GOOD.replace(b"ERE=\n", b"ERF=\n"),  # pad bits that no encoder writes
        GOOD.replace(b"ERE=\n", b"ERE\n"),
        GOOD.replace(b"ERE=\n", b"ER!E=\n"),
        GOOD.replace(b"ERE=\n", b"EREA\n"),
        GOOD.replace("— ".encode(), b"- "),
        GOOD.replace("— ".encode(), "—  ".encode()),
        b"\xff" + GOOD,
        b"\n\n" + GOOD,
        b"x\n\n",
        b"",
        GOOD + GOOD[GOOD.index("—".encode()) :] * 40,
        GOOD + b" " * 70_000,
    ],
)
def test_malformed_notes_are_refused(data):
    """Every looseness of usual parsers is an error here; the unchanged note is the control."""
    checkpoints.parse(GOOD)

    with pytest.raises(EncodingError):
        checkpoints.parse(data)


@pytest.mark.parametrize("separator", ["\x1c", "\x85", "\u2028", "\x0c"])
def test_other_line_breaks_do_not_split(separator):
    """What ``str.splitlines`` would split is one line or an error, never two lines."""
    smuggled = GOOD.replace(b"\n5\n", f"{separator}4\n5\n".encode())

    try:
        point, _ = checkpoints.parse(smuggled)
    except EncodingError:
        return
    assert f"{ORIGIN}{separator}4" == point.origin


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_give_our_error_or_a_note(data):
    """Parsers raise nothing of another kind, and a note that parses is written back byte for byte."""
    try:
        note = notes.parse(data)
    except EncodingError:
        return
    assert data == note.encode()


def test_vkeys():
    """A vkey round-trips; each wrong part is refused."""
    text = LOG_KEY.encode()

    assert notes.parse_vkey(text) == LOG_KEY
    name, key_id, material = text.split("+", 2)
    weak = notes.VerifierKey("weak.example", notes.ED25519, bytes(32)).encode()
    unknown = base64.b64encode(b"\x05" + LOG_KEY.public_key).decode()
    for bad in (
        f"{name}x+{key_id}+{material}",
        f"{name}+{key_id[:-1]}0+{material}" if key_id[-1] != "0" else f"{name}+{key_id[:-1]}1+{material}",
        f"{name}+{key_id}+{material[:-4]}",
        f"{name}+{key_id}+{unknown}",
        f"a b+{key_id}+{material}",
        text + "\n",
        weak,
        "",
    ):
        with pytest.raises(EncodingError):
            notes.parse_vkey(bad)


@pytest.mark.parametrize(
    "encoded",
    [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0200000000000000000000000000000000000000000000000000000000000000",
    ],
)
def test_weak_keys_are_refused(encoded):
    """Small-order points and non-canonical encodings never become keys; a usual key does."""
    require_public_key(LOG_KEY.public_key)

    with pytest.raises(EncodingError):
        require_public_key(bytes.fromhex(encoded))


def test_signature_check_names_what_failed():
    """A wrong signature is an altered thing, with its name and index."""
    signature = LOG.sign(b"message").signature

    require_signed(LOG_KEY.public_key, b"message", signature, "statement")
    with pytest.raises(AlteredError, match="statement") as caught:
        require_signed(LOG_KEY.public_key, b"massage", signature, "statement", index=7)
    assert caught.value.index == 7
    with pytest.raises(AlteredError):
        require_signed(LOG_KEY.public_key, b"message", signature[:-1], "statement")
    assert equal_secrets(b"a", b"a")
    assert not equal_secrets(b"a", b"b")
