"""C2SP tlog-checkpoint: origin, size and root as a note. Who signed it is told by ``quorum``.

::

    <origin>
    <size, decimal>
    <root, base64>
    [extension lines: parsed for other logs, refused for ours]
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from ..model.errors import EncodingError
from . import notes, tree
from .notes import Note, SignatureLine, VerifierKey


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says about itself: parsed, not verified."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The note text that is signed."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "\n".join(lines) + "\n"


def parse_text(text: str) -> Checkpoint:
    """Return the checkpoint of a note's text.

    Raises:
        EncodingError: not three or more lines of the right form.
    """
    if not text.endswith("\n"):
        raise EncodingError("checkpoint does not end in a newline")
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise EncodingError("checkpoint has fewer than three lines, or an empty one")
    origin, size, root, *extensions = lines
    if len(origin.encode()) > 255:
        raise EncodingError("checkpoint's origin is too long")
    digest = notes.decode_base64(root, "checkpoint's root")
    if len(digest) != tree.HASH_BYTES:
        raise EncodingError("checkpoint's root is not 32 bytes long")
    return Checkpoint(origin, notes.parse_decimal(size, "checkpoint's size"), digest, tuple(extensions))


def parse(data: bytes) -> tuple[Checkpoint, Note]:
    """Return the checkpoint and its note; no signature is verified.

    Raises:
        EncodingError: not a note, or its text is no checkpoint.
    """
    note = notes.parse(data)
    return parse_text(note.text), note


def sign_line(log: VerifierKey, signature: bytes) -> SignatureLine:
    """Return the log's own signature line; ``signature`` is Ed25519 over the checkpoint's ``text``."""
    return SignatureLine(log.name, log.key_id, signature)


def encode(checkpoint: Checkpoint, lines: Sequence[SignatureLine]) -> bytes:
    """Return the signed note's bytes."""
    return Note(checkpoint.text, tuple(lines)).encode()


def add_lines(data: bytes, lines: Sequence[SignatureLine]) -> bytes:
    """Return the note of ``data`` with more signature lines; a line that is already there is not added again."""
    note = notes.parse(data)
    fresh = [line for line in lines if line not in note.signatures]
    return Note(note.text, (*note.signatures, *fresh)).encode()
