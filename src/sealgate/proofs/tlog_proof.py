"""C2SP tlog-proof v1: our native receipt. Statement, index, inclusion proof and checkpoint in one text file.

The format leaves ``extra`` unauthenticated; ours holds the statement, whose hash is the entry, so inclusion binds it.
"""

import base64
from dataclasses import dataclass
from typing import Final

from ..model.errors import EncodingError
from ..model.limits import MAX_CHECKPOINT_BYTES, MAX_PROOF_HASHES, MAX_STATEMENT_BYTES
from . import notes
from .tree import HASH_BYTES

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_BYTES: Final = MAX_CHECKPOINT_BYTES + 2 * MAX_STATEMENT_BYTES + MAX_PROOF_HASHES * 45 + 256


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A proof, parsed and not verified. ``hashes`` run from leaf to root; ``checkpoint`` is a whole signed note."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """Return the proof's bytes."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(item).decode() for item in self.hashes]
        return ("\n".join(lines) + "\n\n").encode() + self.checkpoint


def parse(data: bytes) -> TlogProof:
    """Return the proof of ``data``.

    Raises:
        EncodingError: not a tlog-proof of version 1 in every detail; the checkpoint's form is checked too.
    """
    if len(data) > MAX_BYTES:
        raise EncodingError(f"proof has {len(data)} bytes", hint=f"at most {MAX_BYTES} are allowed")
    head, separator, checkpoint = data.partition(b"\n\n")
    lines = notes.decode_text(head, "proof").split("\n")
    if not separator or lines.pop(0) != HEADER:
        raise EncodingError("not a tlog-proof of version 1", hint=f"the first line is `{HEADER}`")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = notes.decode_base64(lines.pop(0).removeprefix("extra "), "proof's extra data")
    if not lines or not lines[0].startswith("index "):
        raise EncodingError("proof has no index line")
    index = notes.parse_decimal(lines.pop(0).removeprefix("index "), "proof's index")
    if len(lines) > MAX_PROOF_HASHES:
        raise EncodingError(f"proof has {len(lines)} hashes", hint=f"at most {MAX_PROOF_HASHES} are allowed")
    hashes = tuple(notes.decode_base64(line, "proof's hash") for line in lines)
    if any(len(item) != HASH_BYTES for item in hashes):
        raise EncodingError("proof has a hash that is not 32 bytes long")
    notes.parse(checkpoint)
    return TlogProof(index, hashes, checkpoint, extra)
