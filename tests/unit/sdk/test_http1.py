"""The little HTTP reader: any split of the bytes gives the same answer."""

import pytest

from sealgate.sdk.answers import Answer
from sealgate.sdk.errors import UnreadableAnswer
from sealgate.sdk.http1 import AnswerReader

COUNTED = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}'
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'2;x=y\r\n{"\r\n5\r\na":1}\r\n0\r\n\r\n'
)


@pytest.mark.parametrize("data", [COUNTED, CHUNKED], ids=["counted", "chunked"])
@pytest.mark.parametrize("step", [1, 2, 3, 17, 1000])
def test_any_split_gives_the_same_answer(data, step):
    """Bytes may arrive one by one or at once."""
    reader = AnswerReader()
    answers = [reader.feed(data[start : start + step]) for start in range(0, len(data), step)]

    assert answers[:-1] == [None] * (len(answers) - 1)
    assert answers[-1] == Answer(200, "application/json", b'{"a":1}')
    assert reader.reusable


@pytest.mark.parametrize("data", [COUNTED, CHUNKED], ids=["counted", "chunked"])
def test_an_early_end_is_no_answer(data):
    """A stream that ends anywhere before the end of the answer is refused."""
    for end in range(len(data)):
        reader = AnswerReader()
        if end:
            assert reader.feed(data[:end]) is None
        with pytest.raises(UnreadableAnswer):
            reader.feed(b"")


def test_connection_close_is_obeyed():
    """An answer that announces the end of the connection is whole, but the connection is not used again."""
    reader = AnswerReader()
    answer = reader.feed(COUNTED.replace(b"Content-Type", b"Connection: close\r\nContent-Type"))

    assert answer is not None
    assert not reader.reusable
