"""Signatures on checkpoints by type: 0x01 of the log, 0x04 and 0x06 of witnesses (C2SP tlog-cosignature).

0x04 signs ``cosignature/v1``, a time and the whole note text; it does not name its signer, so no key serves two.
0x06 (ML-DSA-44) signs a binary structure that names signer, log, size and root. Both carry a time before the signature.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import mldsa

from ..model.errors import AlteredError, EncodingError
from . import notes
from .checkpoints import parse_text
from .keys import SIGNATURE_BYTES, is_signed
from .notes import Note, SignatureLine, VerifierKey

_TIME_BYTES: Final = 8
_MAX_TIME: Final = 2**63 - 1
_ML_DSA_44_BYTES: Final = 2420
_SUBTREE_LABEL: Final = b"subtree/v1\n\0"


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A verified signature by a known key. ``time`` is Unix seconds, None for a log's own signature."""

    key: VerifierKey
    time: int | None


def message_v1(time: int, note_text: str) -> bytes:
    """Return what a type 0x04 cosignature of this time signs."""
    return f"cosignature/v1\ntime {time}\n{note_text}".encode()


def message_subtree(name: str, time: int, origin: str, size: int, root: bytes) -> bytes:
    """Return what a type 0x06 cosignature of a checkpoint signs."""
    cosigner, log = name.encode(), origin.encode()
    return b"".join(
        (
            _SUBTREE_LABEL,
            bytes((len(cosigner),)),
            cosigner,
            time.to_bytes(8, "big"),
            bytes((len(log),)),
            log,
            bytes(8),
            size.to_bytes(8, "big"),
            root,
        )
    )


def signature_line(key: VerifierKey, time: int, signature: bytes) -> SignatureLine:
    """Return the line of a cosignature made at ``time``."""
    return SignatureLine(key.name, key.key_id, time.to_bytes(_TIME_BYTES, "big") + signature)


def verify_line(key: VerifierKey, line: SignatureLine, note_text: str) -> Cosignature:
    """Return the cosignature of a line whose name and key id are those of ``key``.

    Raises:
        AlteredError: the signature does not verify.
        EncodingError: the blob has the wrong length, or its time is out of range.
    """
    if key.type == notes.ED25519:
        _require_length(line, SIGNATURE_BYTES)
        if not is_signed(key.public_key, note_text.encode(), line.signature):
            raise AlteredError(f"note's signature of `{key.name}` is not valid")
        return Cosignature(key, None)
    time = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    if time > _MAX_TIME:
        raise EncodingError(f"cosignature of `{key.name}` has a time that is out of range")
    if key.type == notes.COSIGNATURE_ED25519:
        _require_length(line, _TIME_BYTES + SIGNATURE_BYTES)
        valid = is_signed(key.public_key, message_v1(time, note_text), line.signature[_TIME_BYTES:])
    elif key.type == notes.COSIGNATURE_ML_DSA_44:
        _require_length(line, _TIME_BYTES + _ML_DSA_44_BYTES)
        valid = _is_ml_dsa_signed(key, time, note_text, line.signature[_TIME_BYTES:])
    else:
        raise EncodingError(f"signature type {key.type} of `{key.name}` is unknown")
    if not valid:
        raise AlteredError(f"cosignature of `{key.name}` is not valid")
    return Cosignature(key, time)


def _require_length(line: SignatureLine, length: int) -> None:
    if len(line.signature) != length:
        raise EncodingError(f"signature of `{line.name}` has {len(line.signature)} bytes", hint=f"{length} expected")


def _is_ml_dsa_signed(key: VerifierKey, time: int, note_text: str, signature: bytes) -> bool:
    point = parse_text(note_text)
    message = message_subtree(key.name, time, point.origin, point.size, point.root)
    try:
        mldsa.MLDSA44PublicKey.from_public_bytes(key.public_key).verify(signature, message)
    except InvalidSignature:
        return False
    except (UnsupportedAlgorithm, ValueError) as error:
        raise EncodingError(f"ML-DSA-44 key of `{key.name}` cannot be used") from error
    return True


def verify_note(note: Note, keys: Sequence[VerifierKey]) -> tuple[Cosignature, ...]:
    """Return the verified signatures of ``keys`` on ``note``, at most one of each; lines of unknown keys are ignored.

    Raises:
        AlteredError: a line of a known key does not verify: then nothing of the note is believed.
    """
    found: dict[VerifierKey, Cosignature] = {}
    for line in note.signatures:
        for key in keys:
            if key.name == line.name and key.key_id == line.key_id:
                cosignature = verify_line(key, line, note.text)
                found.setdefault(key, cosignature)
    return tuple(found.values())
