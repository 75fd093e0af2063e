"""What goes between the authority and its signing process comes back as it was, or is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealgate.adapters.signing import messages

NUMBERS = st.integers(0, 2**64 - 1)
INPUTS = st.lists(st.binary(max_size=400), max_size=messages.MAX_INPUTS)
SIGNATURES = st.lists(st.binary(min_size=64, max_size=64), max_size=40)


@given(NUMBERS, INPUTS)
def test_a_group_comes_back(number, inputs):
    """Number and inputs, in order, empty ones too."""
    message = messages.group(number, inputs)

    assert not messages.is_key(message)
    assert messages.read_group(message) == (number, inputs)


@given(NUMBERS, st.binary(min_size=64, max_size=64), st.binary(max_size=100))
def test_a_key_comes_back(number, secret, challenge):
    """Number, secret and challenge."""
    message = messages.key(number, secret, challenge)

    assert messages.is_key(message)
    assert messages.read_key(message) == (number, secret, challenge)


@given(NUMBERS, SIGNATURES)
def test_an_answer_comes_back(number, signatures):
    """Number and signatures, in order."""
    assert messages.read_answer(messages.answer(number, signatures)) == (number, signatures)


@given(NUMBERS, SIGNATURES, st.integers(1, 63))
def test_an_answer_with_a_part_of_a_signature_is_refused(number, signatures, more):
    """Not cut off, not filled up: refused."""
    with pytest.raises(ValueError, match=r"^\d+$"):
        messages.read_answer(messages.answer(number, signatures) + bytes(more))


@given(NUMBERS, INPUTS, st.integers(1, 9))
def test_a_group_whose_lengths_do_not_add_up_is_refused(number, inputs, more):
    """No input is longer or shorter than it was."""
    with pytest.raises(ValueError, match=r"^\d+$"):
        messages.read_group(messages.group(number, inputs) + bytes(more))
