"""Statements: the fast reader and the general decoder are one function; nothing but our bytes is accepted."""

import cbor2
import cwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from sealgate.encoding import cbor, layout, statement
from sealgate.model.errors import EncodingError

ids = st.binary(min_size=16, max_size=16)
# What `str.isprintable` takes, drawn and not filtered: of texts of any characters more than half would be thrown away.
texts = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=120)
numbers = st.one_of(
    st.sampled_from([0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63]), st.integers(0, 2**64 - 1)
)
claims = st.builds(
    statement.Claims,
    kid=ids,
    iss=texts,
    sub=texts,
    iat=st.one_of(st.integers(1_700_000_000, 2**32 - 1), numbers),
    epoch=ids,
    seq=numbers,
    alg=st.sampled_from([-8, -8, -19]),
)
commitments = st.binary(min_size=32, max_size=32)
signatures = st.binary(min_size=64, max_size=64)


def _either(read, data):
    try:
        return read(data)
    except EncodingError:
        return None


@given(claims, commitments, signatures)
def test_round_trip(value, commitment, signature):
    """What is assembled is parsed back, by both readers alike."""
    data = statement.assemble(statement.encode_claims(value), commitment, signature)

    parsed = statement.parse(data)

    assert parsed == statement.parse_general(data)
    assert (value, commitment, signature) == (parsed.claims, parsed.commitment, parsed.signature)
    assert statement.commitment_of(data) == commitment


@given(claims.filter(lambda value: value.alg == -8))
def test_claims_encoder_equals_general_encoder(value):
    """The quick encoder of one producer writes the general encoder's bytes."""
    encoder = statement.ClaimsEncoder(kid=value.kid, iss=value.iss, epoch=value.epoch)

    assert statement.encode_claims(value) == encoder.protected(sub=value.sub, iat=value.iat, seq=value.seq)


@settings(max_examples=1000)
@given(st.data())
def test_readers_agree_on_damaged_statements(data):
    """After any edit of bytes both readers give one answer, and what is accepted re-encodes to the same bytes."""
    value = data.draw(claims)
    good = bytearray(statement.assemble(statement.encode_claims(value), bytes(32), bytes(64)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(good) - 1))
        edit = data.draw(st.sampled_from(["set", "insert", "delete"]))
        if edit == "set":
            good[at] = data.draw(st.integers(0, 255))
        elif edit == "insert":
            good.insert(at, data.draw(st.integers(0, 255)))
        else:
            del good[at]
    damaged = bytes(good)

    fast = _either(statement.parse, damaged)

    assert _either(statement.parse_general, damaged) == fast
    if fast is not None:
        assert statement.commitment_of(damaged) == fast.commitment
    if fast is not None:
        again = statement.assemble(statement.encode_claims(fast.claims), fast.commitment, fast.signature)
        assert damaged == again


@given(st.binary(max_size=400))
def test_readers_agree_on_any_bytes(data):
    """Any bytes give our error or a statement, from both readers alike."""
    assert _either(statement.parse_general, data) == _either(statement.parse, data)


def test_usual_statements_take_the_fast_way():
    """The layout of our own encoder is read by the fast reader, not by chance by the general one."""
    encoder = statement.ClaimsEncoder(kid=bytes(16), iss="urn:sealgate:authority:acme", epoch=bytes(16))
    protected = encoder.protected(sub="urn:sealgate:agent:0123456789abcdef", iat=1_790_000_000, seq=70_000)

    assert layout.split(statement.assemble(protected, bytes(32), bytes(64))) is not None


@given(claims, commitments)
@settings(max_examples=50)
def test_other_libraries_read_our_statement(value, commitment):
    """cbor2 sees the same four parts, and cwt verifies the signature that PyNaCl made."""
    signer = SigningKey(b"\x07" * 32)
    protected = statement.encode_claims(value)
    signature = signer.sign(statement.signing_input(protected, commitment)).signature

    data = statement.assemble(protected, commitment, signature)

    assert [protected, {}, commitment, signature] == list(cbor2.loads(data).value)
    if value.alg == -8:
        key = cwt.COSEKey.new({1: 1, 2: value.kid, 3: -8, -1: 6, -2: signer.verify_key.encode()})
        assert commitment == cwt.COSE.new().decode(data, keys=[key])


@given(st.integers(0, 2**64 - 1), st.integers(-(2**64), -1), st.binary(max_size=300), st.text(max_size=300))
def test_scalars_equal_cbor2(positive, negative, data, text):
    """Our encoder and cbor2's canonical one write the same bytes."""
    value = [positive, negative, data, text, True, False, None, {1: text, -1: data, "k": positive}]

    encoded = cbor.encode(value)

    assert cbor2.dumps(value, canonical=True) == encoded
    assert value == cbor.decode(encoded)


@given(st.binary(max_size=64))
@settings(max_examples=500)
def test_decoder_is_strict(data):
    """Whatever is decoded encodes to the very same bytes: one value, one spelling."""
    value = _either(cbor.decode, data)
    if value is not None:
        assert data == cbor.encode(value)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x9f\xff", "indefinite"),
        (b"\x18\x01", "shortest"),
        (b"\xa2\x01\x01\x01\x02", "twice"),
        (b"\xa2\x02\x01\x01\x02", "order"),
        (b"\x01\x01", "follow"),
        (b"\xf9\x3c\x00", "shortest"),
        (b"\xf7", "unassigned"),
        (b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", "too early"),
        (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "too early"),
        (b"\x81" * 20 + b"\x01", "nested"),
        (b"\xa1\xf5\x01", "neither integer"),
        (b"\x61\xff", "UTF-8"),
    ],
)
def test_hostile_cbor_is_refused(data, why):
    """Each known trick of lax decoders is refused for its own reason."""
    with pytest.raises(EncodingError, match=why):
        cbor.decode(data)


@pytest.mark.parametrize("data", [b"", b"\xd2\x84", bytes(300), b"\xd2\x84\x58" + bytes(297)])
def test_no_frame_has_no_commitment(data):
    """What is not even framed as a statement has no commitment; with the frame around it, it has."""
    with pytest.raises(EncodingError):
        statement.commitment_of(data)

    framed = statement.assemble(bytes(64), b"c" * 32, bytes(64))

    assert statement.commitment_of(framed) == b"c" * 32
