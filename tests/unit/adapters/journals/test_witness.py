"""Whether damage is followed by records that were written after it was durable: looked for at every offset."""

from hypothesis import given
from hypothesis import strategies as st

from sealgate.adapters.journals.segment import FRAME_BYTES, encode_group, frame_at, witness_behind
from sealgate.ports.journal import JournalRecord

AHEAD = bytes(4096)
"""Zeros, as they are written ahead."""


def every_offset(data, bad, index):
    """Return what ``witness_behind`` is about to find, tried without leaving anything out."""
    for at in range(bad + 1, len(data) - FRAME_BYTES + 1):
        frame = frame_at(data, at, len(data))
        if frame is not None and index <= frame.record <= index + (1 << 32) and at - frame.distance > bad:
            return frame
    return None


records = st.builds(
    JournalRecord,
    st.one_of(st.binary(max_size=20), st.just(bytes(30))),
    st.one_of(st.binary(max_size=60), st.just(bytes(50))),
)


@given(
    st.lists(st.lists(records, min_size=1, max_size=3), max_size=4),
    st.randoms(use_true_random=False),
    st.integers(0, 60),
)
def test_nothing_that_was_written_is_left_out(groups, chance, cut):
    """Damaged heads, bodies that end in zeros, torn ends and zeros behind: the same frame as by trying all."""
    data, index = bytearray(chance.randbytes(chance.randrange(40))), 7
    for group in groups:
        data += encode_group(index, group)[0]
        index += len(group)
    data = data[: max(0, len(data) - cut)] + (AHEAD if chance.randrange(3) else b"")
    if data and chance.randrange(2):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    bad = chance.randrange(len(data)) if data and chance.randrange(5) else 0

    assert witness_behind(bytes(data), bad, 7) == every_offset(bytes(data), bad, 7)


def test_a_record_that_ends_in_zeros_is_a_witness():
    """The last byte that is not zero may be in its head: it is found, with zeros behind it or not."""
    lost, _ = encode_group(0, [JournalRecord(b"s", b"b" * 9)])
    kept, _ = encode_group(1, [JournalRecord(bytes(9), bytes(40))])
    for behind in (b"", AHEAD):
        found = witness_behind(bytes(len(lost)) + kept + behind, 0, 0)
        assert found is not None
        assert (found.record, found.start) == (1, len(lost))
    assert witness_behind(bytes(len(lost)) + AHEAD, 0, 0) is None
