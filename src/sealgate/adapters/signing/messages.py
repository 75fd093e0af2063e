"""What the authority and its signing process say to each other: plain bytes in frames (adapters.children.frames).

::

    K · number8 · secret64 · challenge                sign with this key from now on, this challenge first
    S · number8 · count2 · length2 of each · inputs   sign these
    number8 · signatures, 64 bytes each               the answer to either

Messages are numbered without gaps and answered in order, so that no answer can be taken for another's.
"""

import struct
from collections.abc import Sequence
from typing import Final

MAX_INPUTS: Final = 256
"""Inputs of one group: some milliseconds of signing."""

SECRET_BYTES: Final = 64
SIGNATURE_BYTES: Final = 64
_KEY: Final = b"K"
_SIGN: Final = b"S"
_NUMBER: Final = struct.Struct(">Q")
_GROUP: Final = struct.Struct(">QH")


def key(number: int, secret: bytes, challenge: bytes) -> bytes:
    """Return the message that hands over a secret key."""
    return b"".join((_KEY, _NUMBER.pack(number), secret, challenge))


def group(number: int, inputs: Sequence[bytes]) -> bytes:
    """Return the message that asks for signatures of ``inputs``."""
    count = len(inputs)
    return b"".join((_SIGN, struct.pack(f">QH{count}H", number, count, *map(len, inputs)), *inputs))


def answer(number: int, signatures: Sequence[bytes]) -> bytes:
    """Return the answer to message ``number``."""
    return _NUMBER.pack(number) + b"".join(signatures)


def read_answer(payload: bytes) -> tuple[int, list[bytes]]:
    """Return number and signatures of an answer.

    Raises:
        ValueError: it does not end with a whole signature.
    """
    size = len(payload)
    if size < _NUMBER.size or (size - _NUMBER.size) % SIGNATURE_BYTES:
        raise ValueError(size)
    (number,) = _NUMBER.unpack_from(payload)
    return number, [payload[at : at + SIGNATURE_BYTES] for at in range(_NUMBER.size, size, SIGNATURE_BYTES)]


def is_key(message: bytes) -> bool:
    """Tell whether a message hands over a key."""
    return message[:1] == _KEY


def read_key(message: bytes) -> tuple[int, bytes, bytes]:
    """Return number, secret key and challenge."""
    start = 1 + _NUMBER.size
    (number,) = _NUMBER.unpack_from(message, 1)
    return number, message[start : start + SECRET_BYTES], message[start + SECRET_BYTES :]


def read_group(message: bytes) -> tuple[int, list[bytes]]:
    """Return number and inputs.

    Raises:
        ValueError: the lengths do not add up.
    """
    number, count = _GROUP.unpack_from(message, 1)
    lengths = struct.unpack_from(f">{count}H", message, 1 + _GROUP.size)
    at = 1 + _GROUP.size + 2 * count
    if message[:1] != _SIGN or at + sum(lengths) != len(message):
        raise ValueError(count)
    inputs = []
    for length in lengths:
        inputs.append(message[at : at + length])
        at += length
    return number, inputs
