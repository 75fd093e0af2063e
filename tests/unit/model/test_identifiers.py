"""Identifiers: shape, order, strictness."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealgate.model.errors import InputError
from sealgate.model.identifiers import parse_traceparent, require_name, require_uuid, uuid7


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_uuid7_has_version_variant_and_time(unix_ms, random):
    """Version, variant and timestamp are where RFC 9562 puts them."""
    parsed = uuid.UUID(uuid7(unix_ms, random))

    assert parsed.variant == uuid.RFC_4122
    assert parsed.int >> 76 & 0xF == 7
    assert parsed.int >> 80 == unix_ms


@given(st.integers(0, 2**48 - 2), st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_uuid7_sorts_by_time(unix_ms, first, second):
    """A later millisecond sorts later as text."""
    assert uuid7(unix_ms, first) < uuid7(unix_ms + 1, second)


@pytest.mark.parametrize("name", ["agent-1", "Überweisung", "送金", "a b", "x" * 256])
def test_names_that_are_fine(name):
    """Ordinary names, also outside ASCII, are kept as they are."""
    assert require_name(name, "name") == name


@pytest.mark.parametrize("name", ["", " a", "a ", "a\nb", "a\x00", "e\u0301", "x" * 257, "a\u200b", "a\u2028b"])
def test_names_that_are_refused(name):
    """Empty, padded, invisible, decomposed or over-long names are refused, never repaired."""
    with pytest.raises(InputError):
        require_name(name, "name")


def test_traceparent():
    """A well-formed header gives both ids."""
    header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    assert parse_traceparent(header) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n",
    ],
)
def test_traceparent_refused(header):
    """Other versions, zero ids, upper case and trailing bytes are refused."""
    with pytest.raises(InputError):
        parse_traceparent(header)


def test_uuid_refused_and_accepted():
    """Only lower-case UUID text passes."""
    good = "01890a5d-ac96-774b-bcce-b302099a8057"

    assert require_uuid(good, "id") == good
    for bad in (good.upper(), good[:-1], good + "0", good.replace("-", "")):
        with pytest.raises(InputError):
            require_uuid(bad, "id")
