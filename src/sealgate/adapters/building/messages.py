"""What the authority and the process that builds its log's files say to each other: MessagePack, one answer each."""

import msgspec

from sealgate.ports.building import Staged


class Begin(msgspec.Struct, tag="begin", array_like=True, frozen=True):
    """Build from the published tree of this size and root on; paths as the authority has them."""

    origin: str
    journal: str
    public: str
    staging: str
    size: int
    root: bytes


class Stage(msgspec.Struct, tag="stage", array_like=True, frozen=True):
    """Stage what the records up to here make."""

    stop: int


class Write(msgspec.Struct, tag="write", array_like=True, frozen=True):
    """Write what is staged."""


class Tidy(msgspec.Struct, tag="tidy", array_like=True, frozen=True):
    """Remove what it completed."""


class Settle(msgspec.Struct, tag="settle", array_like=True, frozen=True):
    """Make all durable, drop what is staged up to this size."""

    size: int


class Done(msgspec.Struct, tag="done", array_like=True, frozen=True):
    """It is done; ``staged`` answers Stage."""

    staged: Staged | None = None


class Failed(msgspec.Struct, tag="failed", array_like=True, frozen=True):
    """It failed with one of our errors."""

    kind: str
    message: str
    hint: str


Request = Begin | Stage | Write | Tidy | Settle
Answer = Done | Failed
encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_answer = msgspec.msgpack.Decoder(Answer).decode
