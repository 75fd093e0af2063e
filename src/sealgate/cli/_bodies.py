"""Bodies for an export of the log: a bundle of the evidence service, which asks who reads and records it first."""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sealgate.model.errors import AlteredError, EncodingError, InputError
from sealgate.model.limits import MAX_BATCH_BODY_BYTES, TILE_WIDTH
from sealgate.ports.public_log import ReadBodies
from sealgate.proofs import bundles, tiles
from sealgate.sdk.evidence import EvidenceClient

_MAX_BUNDLE_BYTES: Final = TILE_WIDTH * (4 + MAX_BATCH_BODY_BYTES)
_PREFIX: Final = "log/"
BUNDLE: Final = ".sealgate-bundle-"
"""How the empty file begins that is there for a moment, on a file system that gives none without a name."""


@contextmanager
def fetched(client: EvidenceClient, folder: Path, *, start: int, stop: int | None) -> Iterator[ReadBodies]:
    """Yield what reads the bodies of a bundle with what this reader may see of a range.

    The bundle is a file without a name on the disk of ``folder``: it ends with this process, however that ends.

    Raises:
        NotPermittedError: no role of the caller may see whole records.
        UnavailableError: the evidence service does not answer.
    """
    with tempfile.TemporaryFile(prefix=BUNDLE, dir=folder) as bundle:
        wanted = {"from_index": start} if start else {}
        if stop is not None:
            wanted["to_index"] = stop
        client.export_into(bundle, wanted, format="bundle")
        with zipfile.ZipFile(bundle) as archive:
            yield _Bundle(archive).read


class _Bundle:
    """The body bundles of an archive, by number."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._places: dict[int, tuple[zipfile.ZipInfo, int]] = {}
        for entry in archive.infolist():
            try:
                kind, number, width = tiles.parse_path(entry.filename.removeprefix(_PREFIX))
            except InputError:  # the checkpoint, the trust file, the text for people
                continue
            if kind == tiles.BODIES:
                self._places[number] = (entry, width)

    def read(self, start: int, stop: int) -> list[bytes | None]:
        """Return the bodies of these records of one bundle, None for each absent one."""
        number, first = divmod(start, TILE_WIDTH)
        if number not in self._places:
            return [None] * (stop - start)
        entry, width = self._places[number]
        if entry.file_size > _MAX_BUNDLE_BYTES:
            raise AlteredError(f"the bodies of bundle {number} are larger than any", index=start)
        try:
            found = bundles.decode_bodies(self._archive.read(entry), width)
        except (EncodingError, zipfile.BadZipFile) as error:
            raise AlteredError(f"the bodies of bundle {number} are malformed", index=start) from error
        there = found[first : first + stop - start]
        return there + [None] * (stop - start - len(there))
