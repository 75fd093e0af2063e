"""From a body to a typed request."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealgate.model.errors import EncodingError, InputError
from sealgate.model.evaluation import EvaluationRequest, OutcomeRequest
from sealgate.server.decoding import decode, decode_leniently, is_json, is_strict, without_foreign

QUESTION = {
    "subject": {"type": "agent", "id": "a1"},
    "action": {"name": "send_money"},
    "resource": {"type": "tool_server", "id": "bank"},
}
MAX = 4096


def _bytes(value: object) -> bytes:
    return json.dumps(value).encode()


def test_a_fact_that_comes_twice_is_refused():
    """Which of the two a policy would see must not be a matter of order."""
    twice = QUESTION | {"context": {"facts": {"time": 1}, "time": 2}}

    with pytest.raises(InputError, match="`time`"):
        decode_leniently(_bytes(twice), max_bytes=MAX)
    assert decode_leniently(_bytes(QUESTION | {"context": {"time": 2}}), max_bytes=MAX).context.facts == {"time": 2}


def test_our_own_members_are_never_taken_for_facts():
    """A foreign member beside ours leaves ours as they are."""
    context = {"input": {"amount": 1}, "redeem": True, "time": 2}

    asked = decode_leniently(_bytes(QUESTION | {"context": context}), max_bytes=MAX)

    assert (asked.context.input, asked.context.redeem, asked.context.facts) == ({"amount": 1}, True, {"time": 2})


@pytest.mark.parametrize("context", [1, "x", [], None, {"input": 1, "time": 2}, {"facts": [], "time": 2}])
def test_leniency_does_not_excuse_a_wrong_type(context):
    """Foreign members are taken; wrong types of our own are not."""
    with pytest.raises(InputError):
        decode_leniently(_bytes(QUESTION | {"context": context}), max_bytes=MAX)


@pytest.mark.parametrize("duration", [True, "1", 1.0, None])
def test_types_are_never_converted(duration):
    """A number in a string is not a number."""
    good = {"decision_id": "d", "status": "failed", "duration_ms": 1}
    assert decode(_bytes(good), OutcomeRequest, max_bytes=MAX).duration_ms == 1

    with pytest.raises(InputError, match="duration_ms"):
        decode(_bytes(good | {"duration_ms": duration}), OutcomeRequest, max_bytes=MAX)


def test_a_long_name_is_not_sent_back_whole():
    """A message quotes a part of it at most."""
    with pytest.raises(InputError) as caught:
        decode(_bytes({"x" * 3000: 1}), OutcomeRequest, max_bytes=MAX)
    assert len(caught.value.message) < 300


@given(st.binary(max_size=200))
def test_any_bytes_give_our_error_or_a_request(data):
    """INVARIANT: a body is understood or refused with our own error, nothing else."""
    for read in (decode_leniently, lambda body, max_bytes: decode(body, EvaluationRequest, max_bytes=max_bytes)):
        with contextlib.suppress(InputError, EncodingError):
            assert isinstance(read(data, max_bytes=MAX), EvaluationRequest)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["subject", "context", "facts", "id", "x"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(_json)
def test_any_json_gives_our_error_or_a_request(value):
    """INVARIANT: as above, for every JSON value; reading leniently never alters what is already ours."""
    try:
        once = without_foreign(value)
    except InputError:
        return
    assert without_foreign(once) == once


def test_content_types():
    """Case and parameters do not matter; other types are not JSON."""
    assert all(map(is_json, (b"application/json", b"Application/JSON", b"application/json; charset=utf-8")))
    assert not any(map(is_json, (b"", b"text/json", b"application/jsonl", b"application/json-seq", b"text/plain")))


def test_preferences():
    """RFC 7240 lists preferences with commas."""
    assert is_strict(b"respond-async, Handling=strict")
    assert not any(map(is_strict, (None, b"", b"handling=lenient")))
