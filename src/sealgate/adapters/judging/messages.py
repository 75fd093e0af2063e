"""What the authority and its judges say to each other: MessagePack, compact, typed and bounded."""

from typing import Any

import msgspec


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


encode = msgspec.msgpack.Encoder().encode
decode_to_judge = msgspec.msgpack.Decoder(Load | Ask).decode
decode_from_judge = msgspec.msgpack.Decoder(Loaded | Told).decode
