"""A trust file that also names witnesses and time-stamping authorities: whose word a verifier wants, too."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from ..model.errors import EncodingError
from ..proofs import notes, trust

MAX_FILE_BYTES: Final = 1024 * 1024


def name(known: bytes, witnesses: list[str], quorum: int | None, roots: list[Path]) -> bytes:
    """Return the trust file with further witnesses (verifier keys) and certificates (PEM files) of time stamps' roots.

    ``quorum`` is how many witnesses must have cosigned; as it was where None.

    Raises:
        EncodingError: a key or certificate cannot be read or is named already, or the quorum cannot be met.
        OSError: a file cannot be read.
    """
    before = trust.parse(known)
    keys = tuple(notes.parse_vkey(text) for text in witnesses)
    certificates = tuple(_text(path) for path in roots)
    after = replace(
        before,
        witnesses=before.witnesses + keys,
        quorum=before.quorum if quorum is None else quorum,
        timestamp_roots=before.timestamp_roots + certificates,
    )
    named = trust.encode(after)
    trust.parse(named)  # what cannot be read again is not written
    return named


def write_new(path: Path, data: bytes) -> None:
    """Make the file whole or not at all, durable; a crash leaves at most a hidden file beside it.

    Raises:
        FileExistsError: there is one already; it stays as it is.
        OSError: it cannot be written; nothing is left of it.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with fresh.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # unlike a rename it never replaces
        except FileExistsError as error:
            raise FileExistsError(error.errno, error.strerror, str(path)) from None
    finally:
        fresh.unlink(missing_ok=True)


def _text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES)
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise EncodingError(f"`{path}` is not a PEM file") from None
