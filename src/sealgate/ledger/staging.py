"""One batch of public files as one private file: written and synced before the checkpoint over it is signed.

::

    name     <size>-<hex root>
    content  ( u16 path length · path · u32 data length · SHA-256(data) · data )*  ·  "END1" · u32 number of files

Numbers are big-endian. A file without its trailer was torn by a crash before it was committed.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from sealgate.model.errors import AlteredError

_END: Final = b"END1"
_NAME: Final = re.compile(r"(0|[1-9][0-9]{0,18})-([0-9a-f]{64})", re.ASCII)
_DIGEST_BYTES: Final = 32


def name(size: int, root: bytes) -> str:
    """Return the name of the batch that leads to the tree of this size and root."""
    return f"{size}-{root.hex()}"


def parse_name(text: str) -> tuple[int, bytes] | None:
    """Return (size, root) of a staging file's name, or None if it is none."""
    match = _NAME.fullmatch(text)
    return (int(match[1]), bytes.fromhex(match[2])) if match else None


def encode(files: Mapping[str, bytes]) -> bytes:
    """Return the staging file of these public files."""
    parts: list[bytes] = []
    for path, data in files.items():
        encoded = path.encode()
        parts += (len(encoded).to_bytes(2, "big"), encoded, len(data).to_bytes(4, "big"))
        parts += (hashlib.sha256(data).digest(), data)
    return b"".join((*parts, _END, len(files).to_bytes(4, "big")))


def decode(data: bytes) -> dict[str, bytes]:
    """Return the public files of a staging file.

    Raises:
        AlteredError: torn or altered. A committed batch cannot be torn: it was synced first.
    """
    body, trailer = data[:-8], data[-8:]
    files: dict[str, bytes] = {}
    at = 0
    while at < len(body):
        path_end = at + 2 + int.from_bytes(body[at : at + 2], "big")
        digest_at = path_end + 4
        start = digest_at + _DIGEST_BYTES
        end = start + int.from_bytes(body[path_end:digest_at], "big")
        content = body[start:end]
        if end > len(body) or hashlib.sha256(content).digest() != body[digest_at:start]:
            raise AlteredError("staging file is torn or altered")
        files[body[at + 2 : path_end].decode(errors="replace")] = content
        at = end
    if trailer != _END + len(files).to_bytes(4, "big"):
        raise AlteredError("staging file has no trailer")
    return files
