"""Reads the vectors of others out of their archives, in memory."""

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from sealgate.proofs import notes
from sealgate.proofs.notes import VerifierKey

SUMDB_KEY: Final = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
SUMDB_ORIGIN: Final = "go.sum database tree"
TESSERA_KEY: Final = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
_CALL: Final = re.compile(r"add-checkpoint\n```\n(.*?)```\nHTTP (\d+)\n\[Asserts\]\n(.*?)\n", re.DOTALL)


class Dialogue(NamedTuple):
    """A recorded witness dialogue: (request body, status, what is asserted of the answer) in order."""

    origin: str
    key: VerifierKey
    calls: list[tuple[bytes, int, str]]


def files(folder: Path, archive: str) -> dict[str, bytes]:
    """Return path → content of every file in ``<archive>.tar.xz`` under ``folder``."""
    with tarfile.open(folder / f"{archive}.tar.xz") as opened:
        return {
            member.name.removeprefix("./"): stream.read()
            for member in opened
            if member.isfile() and (stream := opened.extractfile(member)) is not None
        }


def json_files(folder: Path, archive: str, inside: str) -> Iterator[tuple[str, Any]]:
    """Yield (path, value) of the JSON files of an archive whose path holds ``inside``."""
    for path, data in sorted(files(folder, archive).items()):
        if inside in path and path.endswith(".json"):
            yield path, orjson.loads(data)


def torchwood_dialogue(folder: Path) -> Dialogue:
    """Return torchwood's dialogue with a witness about a sigsum log."""
    script = files(folder, "vectors/torchwood-sumdb-witness")["cmd/litewitness/testdata/litewitness.txt"].decode()
    public_key = re.search(r"add-sigsum-log -key=([0-9a-f]{64})", script)
    origin = re.search(r"^sigsum\.org/v1/tree/[0-9a-f]{64}$", script, re.MULTILINE)
    if public_key is None or origin is None:
        raise LookupError("the dialogue has another form")
    key = VerifierKey(origin[0], notes.ED25519, bytes.fromhex(public_key[1]))
    return Dialogue(origin[0], key, [(body.encode(), int(code), said) for body, code, said in _CALL.findall(script)])


def sumdb_checkpoint(folder: Path) -> bytes:
    """Return the real checkpoint of Go's checksum database."""
    script = files(folder, "vectors/torchwood-sumdb-witness")["cmd/litewitness/testdata/sumdb.txt"].decode()
    match = re.search(rf"old 0\n\n({re.escape(SUMDB_ORIGIN)}\n.*?)```", script, re.DOTALL)
    if match is None:
        raise LookupError("the script has another form")
    return match[1].encode()
