"""What the authority and the process that archives segments say to each other: MessagePack, in turns.

The authority says what to archive; the process asks for data keys and tells of each block, and each of these is
answered, until it says that it is done or failed.
"""

from typing import Annotated

import msgspec

from sealgate.model.limits import KEY_ID_BYTES
from sealgate.ports.datakeys import KeyFact

KeyId = Annotated[bytes, msgspec.Meta(min_length=KEY_ID_BYTES, max_length=KEY_ID_BYTES)]
Secret = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]  # AES-256
UnixMs = Annotated[int, msgspec.Meta(ge=0, lt=253_370_764_800_000)]  # up to the year 9999: later ones have no period


class Archive(msgspec.Struct, tag="archive", array_like=True, frozen=True):
    """Write the segment ``source`` into ``target`` as an archive with this header; paths as the authority has them."""

    origin: str
    source: str
    target: str
    header: bytes


class Find(msgspec.Struct, tag="find", array_like=True, frozen=True):
    """Which key is this (``DataKeys.find``)? Answered by Key or Gone."""

    key_id: KeyId


class Facts(msgspec.Struct, tag="facts", array_like=True, frozen=True):
    """Which keys does the ledger's own scope have (``DataKeys.facts``)? Answered by Known."""


class Current(msgspec.Struct, tag="current", array_like=True, frozen=True):
    """Which is the key of the ledger's own scope at this time (``DataKeys.current``)? Answered by Key."""

    unix_ms: UnixMs


class Written(msgspec.Struct, tag="written", array_like=True, frozen=True):
    """A block is written. Answered by GoOn, when it is time: decisions come first, and who is silent is given up."""


class Done(msgspec.Struct, tag="done", array_like=True, frozen=True):
    """The archive is whole, its content durable."""


class Failed(msgspec.Struct, tag="failed", array_like=True, frozen=True):
    """It failed with one of our errors."""

    kind: str
    message: str
    hint: str
    index: int | None


class Key(msgspec.Struct, tag="key", array_like=True, frozen=True):
    """A data key."""

    key_id: KeyId
    secret: Secret


class Gone(msgspec.Struct, tag="gone", array_like=True, frozen=True):
    """There is no such key, or no more."""


class Known(msgspec.Struct, tag="known", array_like=True, frozen=True):
    """What is known of these keys."""

    facts: list[KeyFact]


class GoOn(msgspec.Struct, tag="go on", array_like=True, frozen=True):
    """Go on."""


Question = Find | Facts | Current | Written
Result = Done | Failed
Reply = Key | Gone | Known | GoOn
encode = msgspec.msgpack.Encoder().encode
decode_said = msgspec.msgpack.Decoder(Question | Result).decode
decode_told = msgspec.msgpack.Decoder(Archive | Reply).decode
