"""The sealed body: the private half of a record, AES-256-GCM under a random data key.

::

    version 1   0x01 · key_id16 · nonce12 · AES-256-GCM(dek, body, aad)
    version 2   0x02 · key_id16 · nonce12 · AES-256-GCM(dek, zstd(body), aad)
    version 3   0x03 · key_id16 · nonce12 · a place in a sealed group (``sealed_group``): archived bodies

The associated data ties the ciphertext to one log and one statement, so that ciphertexts cannot be swapped. GCM does
not commit to its key; the statement's commitment, which is over the plain body, does.

Batch records are written in version 2. What is compressed was authenticated before it is expanded, and still it is
expanded into bounded memory only. The library is loaded by the first body of version 2: a verifier reads plain bodies
and does without it.
"""

from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..model.errors import AlteredError, EncodingError
from ..model.limits import KEY_ID_BYTES, MAX_BATCH_BODY_BYTES

if TYPE_CHECKING:
    import zstandard

VERSION: Final = 1
COMPRESSED: Final = 2
GROUPED: Final = 3
NONCE_BYTES: Final = 12
_VERSIONS: Final = (VERSION, COMPRESSED, GROUPED)
_HEADER: Final = 1 + KEY_ID_BYTES + NONCE_BYTES
_TAG_BYTES: Final = 16
FLUSH_BLOCK: Final = 1
"""Given to a compressor's ``flush``: let out what was fed so far, and go on (zstandard.COMPRESSOBJ_FLUSH_BLOCK)."""

_LEVEL: Final = 1
"""Of zstd: 3 gives a tenth less for twice the time (bench/RESULTS.md)."""


def associated_data(origin: str, entry: bytes) -> bytes:
    """Return what the ciphertext is bound to: the log's origin, the entry, the part's name."""
    return b"\x00".join((origin.encode(), entry + b"body"))


def seal(cipher: AESGCM, key_id: bytes, nonce: bytes, body: bytes, aad: bytes) -> bytes:
    """Return the sealed form of ``body``. The nonce is random and never reused under one key (at most 2^32 records)."""
    # Joined and not added: a snapshot of the authority may have 100 MB, and a join leaves the interpreter to others.
    return b"".join((bytes((VERSION,)), key_id, nonce, cipher.encrypt(nonce, body, aad)))


def compressor() -> "zstandard.ZstdCompressionObj":
    """Return a new compressor for one body: feed it parts, then flush it, and give the whole to ``seal_compressed``."""
    import zstandard  # noqa: PLC0415  # see the module

    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=False).compressobj()


def seal_compressed(cipher: AESGCM, key_id: bytes, nonce: bytes, compressed: bytes, aad: bytes) -> bytes:
    """Return the sealed form of a body that ``compressor`` has made small."""
    return bytes((COMPRESSED,)) + key_id + nonce + cipher.encrypt(nonce, compressed, aad)


def key_id_of(sealed: bytes) -> bytes:
    """Return which data key opens ``sealed``.

    Raises:
        EncodingError: not a sealed body.
    """
    if len(sealed) < _HEADER + _TAG_BYTES or sealed[0] not in _VERSIONS:
        raise EncodingError("not a sealed body of version 1, 2 or 3")
    return sealed[1 : 1 + KEY_ID_BYTES]


def unseal(cipher: AESGCM, sealed: bytes, aad: bytes) -> bytes:
    """Return the body.

    Raises:
        AlteredError: the ciphertext, its key or what it is bound to was changed.
        EncodingError: what was sealed does not expand to a body.
    """
    key_id_of(sealed)
    if sealed[0] == GROUPED:
        raise EncodingError("the body is in a sealed group", hint="open it with `sealed_group.Bodies`")
    nonce = sealed[1 + KEY_ID_BYTES : _HEADER]
    try:
        opened = cipher.decrypt(nonce, sealed[_HEADER:], aad)
    except InvalidTag as error:
        raise AlteredError("sealed body does not open with its key") from error
    return opened if sealed[0] == VERSION else _expand(opened)


def _expand(compressed: bytes) -> bytes:
    import zstandard  # noqa: PLC0415  # see the module

    limit = MAX_BATCH_BODY_BYTES
    try:
        size = zstandard.frame_content_size(compressed)  # -1: the frame does not say; the library then obeys the limit
        if size > limit:
            raise EncodingError(f"sealed body expands to {size} bytes", hint=f"at most {limit} are allowed")
        return zstandard.ZstdDecompressor().decompress(compressed, max_output_size=limit, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise EncodingError(f"sealed body does not expand: {error}") from error
