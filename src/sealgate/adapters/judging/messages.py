"""What the authority and its judges say to each other: length-prefixed MessagePack over a socket pair.

Both ends are the same program of the same user; the encoding is compact, typed and bounded; nothing of it is kept.
"""

import struct
from typing import Any, Final

import msgspec

_LENGTH: Final = struct.Struct(">I")
HEAD_BYTES: Final = _LENGTH.size
MAX_FRAME_BYTES: Final = 64 << 20
"""A policy set of 16 MiB fits, and 1024 questions of the largest size are never in one frame."""


class Load(msgspec.Struct, tag="load", array_like=True, frozen=True):
    """Load this policy set; forget the former one."""

    version: str
    bundle: bytes


class Loaded(msgspec.Struct, tag="loaded", array_like=True, frozen=True):
    """The policy set is loaded, or (``ok`` false) does not load here."""

    version: str
    ok: bool


class Question(msgspec.Struct, array_like=True, frozen=True):
    """One question with the asker's number."""

    number: int
    principal: tuple[str, str]
    action: str
    resource: tuple[str, str]
    arguments: bytes
    facts: bytes


class Ask(msgspec.Struct, tag="ask", array_like=True, frozen=True):
    """Questions about one policy set."""

    version: str
    questions: list[Question]


class Verdict(msgspec.Struct, array_like=True, frozen=True):
    """One answer."""

    number: int
    outcome: str
    reason: str
    message: str
    policies: list[str]
    obligations: list[dict[str, Any]]


class Told(msgspec.Struct, tag="told", array_like=True, frozen=True):
    """Answers, in any order. A question of another version is not answered: its number is in ``unknown``."""

    verdicts: list[Verdict]
    unknown: list[int]


_encoder = msgspec.msgpack.Encoder()
decode_to_judge = msgspec.msgpack.Decoder(Load | Ask).decode
decode_from_judge = msgspec.msgpack.Decoder(Loaded | Told).decode


def frame(message: Load | Loaded | Ask | Told) -> bytes:
    """Return a message with its length before it."""
    payload = _encoder.encode(message)
    return _LENGTH.pack(len(payload)) + payload


def length_of(head: bytes) -> int:
    """Return the length that a frame's head announces.

    Raises:
        ValueError: longer than any message of ours.
    """
    length: int = _LENGTH.unpack(head)[0]
    if length > MAX_FRAME_BYTES:
        raise ValueError(length)
    return length
