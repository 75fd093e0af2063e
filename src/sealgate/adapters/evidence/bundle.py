"""An evidence bundle: a zip file with the part of the log that holds some records, their bodies, and how to check it.

From the first to the last of the records every statement and proof is in it, so the verifier also sees that nothing
was left out between them. Bodies are in it of the records that were asked for, and of no others.
"""

import zipfile
from collections.abc import Sequence
from typing import IO, Final

from sealgate.evidence.records import Records
from sealgate.ledger.export import export
from sealgate.model.errors import ForkError, InputError
from sealgate.ports.public_log import PublicLog

_README: Final = """\
Evidence of the log {origin}, records {start} to {last}.

{count} of these records have their bodies here; of the others there is the signed statement alone.
Unpack the archive, then check it with the program `sealgate-verify` (package sealgate-verify; it needs no network):

    sealgate-verify log log --trust TRUST.json --from {start} --to {stop}

TRUST.json must come to you by a way that does not depend on whoever gave you this archive: from your contract, your
operator, an earlier audit. The copy inside (log/trust.json) is for convenience; checking with it shows only that the
archive is consistent with itself.
"""


class ZippedLog:
    """A ``ports.public_log.PublicLog`` that takes files into a zip archive, each once."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._written: dict[str, bytes] = {}

    def read(self, path: str) -> bytes | None:
        """Return None: nothing is read back."""
        del path
        return None  # the port's answer for "there is none"

    def create(self, path: str, data: bytes) -> None:
        """Write a file."""
        if path in self._archive.namelist():
            raise ForkError(f"`{path}` is in the bundle already")
        self._archive.writestr(f"log/{path}", data)

    restore = create
    replace = create

    def remove(self, path: str) -> None:
        """Do nothing: nothing expires in a bundle."""

    def remove_partials(self, full_path: str) -> None:
        """Do nothing: a bundle has no file twice."""

    def settle(self) -> int:
        """Return 0: the archive is synced as a whole."""
        return 0


def write_bundle(
    file: IO[bytes], indexes: Sequence[int], records: Records, public: PublicLog, trust: bytes | None
) -> None:
    """Write the bundle of the records at ``indexes``, sorted.

    Raises:
        InputError: there are none.
        NotProvenError: a public file is missing.
    """
    if not indexes:
        raise InputError("nothing fits the filter", hint="an empty bundle would prove nothing")
    wanted = set(indexes)

    def bodies(start: int, stop: int) -> list[bytes | None]:
        return [records.body(index) if index in wanted else None for index in range(start, stop)]

    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        start, stop = indexes[0], indexes[-1] + 1
        done = export(public, ZippedLog(archive), start=start, stop=stop, bodies=bodies, trust=trust)
        text = _README.format(origin=done.origin, start=start, stop=stop, last=stop - 1, count=done.bodies)
        archive.writestr("README.txt", text)
