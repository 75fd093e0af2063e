"""The body of ``add-checkpoint``: ``old <size>``, proof hashes, a blank line, the checkpoint. Pure."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Final

from sealgate.model.errors import EncodingError
from sealgate.model.limits import MAX_CHECKPOINT_BYTES, MAX_PROOF_HASHES
from sealgate.proofs import notes
from sealgate.proofs.tree import HASH_BYTES

SIZE_TYPE: Final = "text/x.tlog.size"
MAX_REQUEST: Final = MAX_CHECKPOINT_BYTES + MAX_PROOF_HASHES * 45 + 64


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """One request, parsed and not verified."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    def encode(self) -> bytes:
        """Return the request's body."""
        lines = [f"old {self.old}", *(base64.b64encode(item).decode() for item in self.proof)]
        return ("\n".join(lines) + "\n\n").encode() + self.checkpoint


def parse_request(data: bytes) -> AddCheckpoint:
    """Return the request of ``data``; the checkpoint is returned as it is.

    Raises:
        EncodingError: malformed or too long.
    """
    if len(data) > MAX_REQUEST:
        raise EncodingError(f"request has {len(data)} bytes", hint=f"at most {MAX_REQUEST} are allowed")
    head, separator, checkpoint = data.partition(b"\n\n")
    first, *rest = notes.decode_text(head, "request").split("\n")
    if not separator or not first.startswith("old "):
        raise EncodingError("request does not begin with `old <size>`")
    if len(rest) > MAX_PROOF_HASHES:
        raise EncodingError(f"proof has {len(rest)} hashes", hint=f"at most {MAX_PROOF_HASHES} are allowed")
    proof = tuple(notes.decode_base64(line, "proof's hash") for line in rest)
    if any(len(item) != HASH_BYTES for item in proof):
        raise EncodingError("proof has a hash that is not 32 bytes long")
    return AddCheckpoint(notes.parse_decimal(first.removeprefix("old "), "old size"), proof, checkpoint)


def parse_size(body: bytes) -> int:
    """Return the size that a witness's 409 names.

    Raises:
        EncodingError: not a decimal and one newline.
    """
    text = notes.decode_text(body, "witness's size")
    if not text.endswith("\n"):
        raise EncodingError("witness's size does not end in a newline")
    return notes.parse_decimal(text[:-1], "witness's size")


def monitoring_path(origin: str) -> str:
    """Return where a witness shows its latest checkpoint of a log, under its prefix."""
    return f"/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint"
