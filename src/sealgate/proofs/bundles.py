"""Bundles: 256 entries, statements or bodies to a file, beside the tiles of level 0.

``tile/entries``: u16 length (always 32) and entry, as C2SP tlog-tiles asks. ``stmt``: u16 length and statement.
``body``: u32 length and canonical body bytes, length 0 where the body is absent (erased, expired, not exported).

A live log may keep a full statement bundle deflated (zlib, RFC 1950). Its first byte then is 0x78, where a plain bundle
has the high byte of a length below 0x1000. Exports are plain. A statement that expired has length 0.
"""

import zlib
from collections.abc import Iterable, Sequence
from typing import Final

from ..model.errors import EncodingError
from ..model.limits import MAX_BATCH_BODY_BYTES, MAX_STATEMENT_BYTES, TILE_WIDTH
from .tree import HASH_BYTES

_ENTRY_HEAD: Final = HASH_BYTES.to_bytes(2, "big")
_ENTRY_STRIDE: Final = 2 + HASH_BYTES


def encode_entries(entries: Iterable[bytes]) -> bytes:
    """Return the bundle of these 32-byte entries."""
    return b"".join([_ENTRY_HEAD + entry for entry in entries])


def decode_entries(data: bytes, count: int) -> list[bytes]:
    """Return the ``count`` entries of a bundle.

    Raises:
        EncodingError: there are more or fewer, or one is not 32 bytes long.
    """
    _check_count(count)
    if len(data) != count * _ENTRY_STRIDE:
        raise EncodingError(f"entry bundle has {len(data)} bytes", hint=f"{count} entries take {count * _ENTRY_STRIDE}")
    entries = []
    for at in range(0, len(data), _ENTRY_STRIDE):
        if data[at : at + 2] != _ENTRY_HEAD:
            raise EncodingError("entry bundle has an entry that is not 32 bytes long")
        entries.append(data[at + 2 : at + _ENTRY_STRIDE])
    return entries


def encode_statements(statements: Iterable[bytes]) -> bytes:
    """Return the bundle of these statements."""
    return b"".join([len(item).to_bytes(2, "big") + item for item in statements])


MAX_STATEMENTS_BYTES: Final = TILE_WIDTH * (2 + MAX_STATEMENT_BYTES)


def is_packed(data: bytes) -> bool:
    """Tell whether a statement bundle is deflated."""
    return data[:1] == b"\x78"


def pack(data: bytes) -> bytes:
    """Return a statement bundle deflated."""
    return zlib.compress(data, 9)


def unpack(data: bytes) -> bytes:
    """Return a statement bundle plain, whichever form it has.

    Raises:
        EncodingError: it does not inflate, or to more than any bundle has.
    """
    if not is_packed(data):
        return data
    inflate = zlib.decompressobj()
    try:
        plain = inflate.decompress(data, MAX_STATEMENTS_BYTES + 1)
    except zlib.error as error:
        raise EncodingError(f"statement bundle does not inflate: {error}") from error
    if len(plain) > MAX_STATEMENTS_BYTES or not inflate.eof or inflate.unused_data:
        raise EncodingError("statement bundle does not inflate to a bundle")
    return plain


def decode_statements(data: bytes, count: int, *, gaps: bool = False) -> list[bytes]:
    """Return the ``count`` statements of a plain bundle; each is still to be parsed and verified.

    With ``gaps`` expired ones are empty.

    Raises:
        EncodingError: there are more or fewer, one is empty or longer than allowed.
    """
    _check_count(count)
    items = _split(data, count, 2, MAX_STATEMENT_BYTES)
    if not gaps and not all(items):
        raise EncodingError("statement bundle has an empty statement")
    return items


def encode_bodies(bodies: Sequence[bytes | None]) -> bytes:
    """Return the bundle of these canonical bodies; None stands for an absent one."""
    return b"".join([len(item or b"").to_bytes(4, "big") + (item or b"") for item in bodies])


def decode_bodies(data: bytes, count: int) -> list[bytes | None]:
    """Return the ``count`` bodies of a bundle, None for each absent one.

    Raises:
        EncodingError: there are more or fewer, or one is longer than allowed.
    """
    _check_count(count)
    return [item or None for item in _split(data, count, 4, MAX_BATCH_BODY_BYTES)]


def _check_count(count: int) -> None:
    if not 1 <= count <= TILE_WIDTH:
        raise EncodingError(f"a bundle of {count} items cannot be", hint=f"1 to {TILE_WIDTH}")


def _split(data: bytes, count: int, head: int, longest: int) -> list[bytes]:
    items = []
    at = 0
    for _ in range(count):
        start = at + head
        length = int.from_bytes(data[at:start], "big")
        at = start + length
        if at > len(data) or length > longest:
            raise EncodingError("bundle ends too early or an item is too long")
        items.append(data[start:at])
    if at != len(data):
        raise EncodingError(f"{len(data) - at} bytes follow the bundle's last item")
    return items
