"""Canonical JSON: equal to rfc8785 where both apply, one spelling for each value, and strict about what comes in."""

import json
import math

import orjson
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from sealgate.encoding import canonical
from sealgate.model.errors import EncodingError
from sealgate.model.limits import MAX_BODY_BYTES, MAX_DEPTH, MAX_SAFE_INTEGER

integers = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
keys = st.from_regex(r"\A[a-z][a-z0-9_]{0,10}\Z")
leaves = st.none() | st.booleans() | integers | texts
records = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4))
arguments = st.recursive(
    leaves | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
)


@given(records)
def test_records_equal_the_reference(value):
    """Within the profile the fast dump is RFC 8785, and decodes to what was encoded."""
    data = canonical.encode(value)

    assert data == rfc8785.dumps(value)
    assert canonical.decode(data) == value


@given(arguments)
@settings(max_examples=500)
def test_arguments_equal_the_reference(value):
    """With floats and any keys too, whichever way was taken inside."""
    assert canonical.encode_arguments(value) == rfc8785.dumps(value)


@given(arguments, st.booleans(), st.sampled_from([None, 1]), st.booleans())
def test_parse_reads_every_spelling(value, ascii_only, indent, sort):
    """Escapes, white space and order do not change what is read."""
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent, sort_keys=sort).encode()

    assert canonical.parse(data) == json.loads(data)


@given(records)
def test_decode_takes_one_spelling(value):
    """White space, escapes or another order than the canonical one are refused."""
    good = canonical.encode(value)
    for other in (
        b" " + good,
        good + b"\n",
        json.dumps(value).encode(),
        json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode(),
    ):
        if other != good:
            with pytest.raises(EncodingError):
                canonical.decode(other)


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")))
@settings(max_examples=500)
def test_any_bytes_give_our_error_or_a_value(data):
    """Neither reader raises anything else, and what ``decode`` takes is canonical."""
    for read in (canonical.parse, canonical.decode):
        try:
            value = read(data)
        except EncodingError:
            continue
        if read is canonical.decode:
            assert canonical.encode(value) == data


@given(st.dictionaries(texts, integers, min_size=1, max_size=4), st.data())
def test_doubled_keys_are_refused(value, data):
    """A key that comes twice is refused at any depth, also in compact sorted input and in two spellings."""
    key = data.draw(st.sampled_from(sorted(value)))
    member = f"{json.dumps(key, ensure_ascii=data.draw(st.booleans()))}:1"
    body = orjson.dumps(value).decode()
    depth = data.draw(st.integers(0, 3))
    doubled = "[" * depth + body[:-1] + "," + member + "}" + "]" * depth

    canonical.parse(("[" * depth + body + "]" * depth).encode())
    with pytest.raises(EncodingError, match="twice"):
        canonical.parse(doubled.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e400",
        b"[-1e999]",
        b"9007199254740992",
        b"-9007199254740992",
        b"123456789012345678901234567890",
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'{"\\ud800":1}',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf{}",
        b"{}{}",
        b"[1,]",
        b"01",
        b"'a'",
        b"",
        b'"\x00"',
        b"[" * 17 + b"]" * 17,
        b'{"a":' * 17 + b"1" + b"}" * 17,
        b"[" * 100_000,
    ],
)
def test_hostile_json_is_refused(data):
    """What two readers could understand differently, or what would exhaust one, is refused by both readers."""
    for read in (canonical.parse, canonical.decode):
        with pytest.raises(EncodingError):
            read(data)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"A": 1}, "not allowed"),
        ({"a b": 1}, "not allowed"),
        ({"a\n": 1}, "not allowed"),
        ({"ä": 1}, "not allowed"),
        ({"a" * 65: 1}, "not allowed"),
        ({"a": 1.0}, "floats"),
        ({"a": MAX_SAFE_INTEGER + 1}, "beyond"),
        ({"a": [-MAX_SAFE_INTEGER - 1]}, "beyond"),
        ({"a": "\ud800"}, "Unicode"),
        ({"a": b"bytes"}, "not JSON"),
        ({"a": (1, 2)}, "not JSON"),
        ({1: "a"}, "not allowed"),
        ({"a": "x" * MAX_BODY_BYTES}, "at most"),
    ],
)
def test_values_outside_the_profile_are_refused(value, why):
    """Each restriction of the record profile has its own refusal; a plain record is the control."""
    canonical.encode({"a": 1})

    with pytest.raises(EncodingError, match=why):
        canonical.encode(value)


def test_depth_is_bounded_exactly():
    """Sixteen levels pass, seventeen do not, whichever function counts."""
    value = "leaf"
    for _ in range(MAX_DEPTH):
        value = [value]
    data = orjson.dumps(value)

    assert canonical.encode(value) == canonical.encode_arguments(value) == data
    assert canonical.decode(data) == canonical.parse(data) == value
    for refused in (canonical.encode, canonical.encode_arguments):
        with pytest.raises(EncodingError, match="deeper"):
            refused([value])


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": -math.inf}, 2**53, {1: 2}, "\udfff", {"\ud800": 1.5}])
def test_arguments_that_are_not_i_json_are_refused(value):
    """Numbers that are no numbers, integers beyond 2^53-1 and lone surrogates have no canonical form here."""
    with pytest.raises(EncodingError):
        canonical.encode_arguments(value)


def test_digests_depend_on_salt_and_input():
    """A salted digest cannot be compared without its salt."""
    digest = canonical.sha256(b"input")

    assert canonical.salted_digest(b"s" * 32, digest) == canonical.salted_digest(b"s" * 32, digest)
    assert canonical.salted_digest(b"s" * 32, digest) != canonical.salted_digest(b"t" * 32, digest)
    assert canonical.salted_digest(b"s" * 32, digest) != canonical.salted_digest(b"s" * 32, canonical.sha256(b"other"))


@pytest.mark.parametrize("text", ["{}", "[{}]", '{{"a":{}}}', '{{"a":"x","b":{}}}', "[1,{}]"])
@pytest.mark.parametrize("number", ["9007199254740992", "-9007199254740992", "18446744073709551615"])
def test_unsafe_integers_are_refused_wherever_they_stand(text, number):
    """Integers beyond 2^53-1 are refused in every place of compact JSON; the same digits in a string are not."""
    with pytest.raises(EncodingError, match="beyond"):
        canonical.parse(text.format(number).encode())
    assert number in str(canonical.parse(text.format(f'"{number}"').encode()))
