"""Sealed groups: how archived bodies are kept, many under one seal, compressed together.

::

    group       AES-256-GCM(dek, zstd(body · body · …), aad)
    a record's  0x03 · key_id16 · nonce12 · u64 place · u32 offset · u32 length
    aad         origin · 0x00 · u64 place · "group"

All bodies of a group are sealed under one data key, so that destroying it erases all of them and nothing else. The
place is unique in its log, so that groups cannot be swapped; that a body is the one its statement commits to is for the
caller to check, as with every body. All numbers are big-endian.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..model.errors import AlteredError, EncodingError
from ..model.limits import KEY_ID_BYTES, MAX_BATCH_BODY_BYTES
from . import sealed_body

MAX_GROUP_BYTES: Final = 16 * MAX_BATCH_BODY_BYTES
"""Bodies of one group together, before they are compressed."""

_PLACE: Final = struct.Struct(">QII")
_HEAD: Final = 1 + KEY_ID_BYTES + sealed_body.NONCE_BYTES
_LEVEL: Final = 12
"""Of zstd. Archiving is done in the background, once."""

_KEPT: Final = 4
"""Opened groups kept in memory: who reads one body of a group mostly reads the next one too."""


def associated_data(origin: str, place: int) -> bytes:
    """Return what a group is bound to."""
    return origin.encode() + b"\x00" + place.to_bytes(8, "big") + b"group"


def seal(cipher: AESGCM, nonce: bytes, bodies: Sequence[bytes], aad: bytes) -> bytes:
    """Return the sealed group of these bodies. The nonce is random and never reused under one key."""
    import zstandard  # noqa: PLC0415  # only archives need it

    plain = b"".join(bodies)
    if len(plain) > MAX_GROUP_BYTES:
        raise EncodingError(f"a group of {len(plain)} bytes is too large", hint=f"at most {MAX_GROUP_BYTES}")
    return cipher.encrypt(nonce, zstandard.ZstdCompressor(level=_LEVEL, write_checksum=False).compress(plain), aad)


def reference(key_id: bytes, nonce: bytes, place: int, offset: int, length: int) -> bytes:
    """Return the sealed body that stands for ``length`` bytes at ``offset`` of a group's bodies."""
    return bytes((sealed_body.GROUPED,)) + key_id + nonce + _PLACE.pack(place, offset, length)


def body_bytes(sealed: bytes) -> int:
    """Return how long the body is that a sealed body of any version stands for, roughly: compressed ones count so."""
    grouped = sealed[:1] == bytes((sealed_body.GROUPED,)) and len(sealed) == _HEAD + _PLACE.size
    return int(_PLACE.unpack_from(sealed, _HEAD)[2]) if grouped else len(sealed)


def open_group(cipher: AESGCM, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Return the bodies of a group, one behind the other.

    Raises:
        AlteredError: the group, its key or its place was changed.
        EncodingError: what was sealed does not expand.
    """
    import zstandard  # noqa: PLC0415  # see above

    try:
        packed = cipher.decrypt(nonce, sealed, aad)
        if not 0 <= zstandard.frame_content_size(packed) <= MAX_GROUP_BYTES:
            raise EncodingError("sealed group does not say how large it is")
        return zstandard.ZstdDecompressor().decompress(packed, max_output_size=MAX_GROUP_BYTES)
    except InvalidTag as error:
        raise AlteredError("sealed group does not open with its key") from error
    except zstandard.ZstdError as error:
        raise EncodingError(f"sealed group does not expand: {error}") from error


FindCipher = Callable[[bytes], AESGCM | None]
"""Key id → cipher, or None when the key was destroyed."""


class Bodies:
    """Opens sealed bodies of every version. Any thread may call it."""

    def __init__(self, origin: str, find: FindCipher) -> None:
        self._origin = origin
        self._find = find
        self._opened: tuple[tuple[bytes, bytes], ...] = ()  # replaced as one: threads need no lock

    def open(self, sealed: bytes, group: bytes | None, entry: Callable[[], bytes]) -> bytes | None:
        """Return the body, or None when it expired or its key was destroyed. ``entry`` gives the statement's digest.

        Raises:
            AlteredError: the ciphertext, its key or what it is bound to was changed.
            EncodingError: it is no sealed body.
        """
        if not sealed:
            return None
        cipher = self._find(sealed_body.key_id_of(sealed))
        if cipher is None:
            return None
        if group is None:
            return sealed_body.unseal(cipher, sealed, sealed_body.associated_data(self._origin, entry()))
        if sealed[0] != sealed_body.GROUPED or len(sealed) != _HEAD + _PLACE.size:
            raise EncodingError("not a place in a sealed group")
        place, offset, length = _PLACE.unpack_from(sealed, _HEAD)
        plain = self._group(cipher, sealed[:_HEAD], group, place)
        if offset + length > len(plain):
            raise AlteredError("a body lies outside of its sealed group")
        return plain[offset : offset + length]

    def _group(self, cipher: AESGCM, head: bytes, group: bytes, place: int) -> bytes:
        name = head + place.to_bytes(8, "big")
        for known, plain in self._opened:
            if known == name:
                return plain
        nonce = head[1 + KEY_ID_BYTES :]
        plain = open_group(cipher, nonce, group, associated_data(self._origin, place))
        self._opened = ((name, plain), *self._opened[: _KEPT - 1])
        return plain

    def forget(self) -> None:
        """Drop opened groups from memory: a key was destroyed."""
        self._opened = ()
