"""Lets the public files follow retention: statement bundles get smaller, lose what expired, old tiles are pruned.

Only full bundles, which no batch will write again. Entries and tiles stay as they are until a shard is pruned: proofs
of what is left need them. A pruned log publishes its minimum index (C2SP tlog-tiles) before anything is removed.
"""

from collections.abc import Callable

from sealgate.ledger.reading import MINIMUM, read_minimum
from sealgate.model.errors import AlteredError, EncodingError
from sealgate.model.limits import TILE_WIDTH
from sealgate.ports.public_log import PublicLog
from sealgate.proofs import bundles, tiles

ReadStatements = Callable[[int, int], list[bytes]]


class ShrinkingBundles:
    """The statement bundles and lowest tiles of one public log; one thread at a time."""

    def __init__(self, public: PublicLog, size: Callable[[], int]) -> None:
        """Take the log and what tells how many records are published."""
        self._public = public
        self._size = size
        self._packed = 0  # all full bundles before this one are deflated: not looked at again

    def settle(self, stop: int, absent: set[int], statements: ReadStatements) -> int:
        """Compress every full bundle before ``stop``; take out of those in ``absent`` what the journal has no more.

        Raises:
            AlteredError: a bundle holds another statement than the journal; it is left as it is.
        """
        changed = 0
        minimum, end = self.minimum() // TILE_WIDTH, min(stop, self._size()) // TILE_WIDTH
        fresh = range(max(minimum, self._packed), end)
        for number in sorted({*fresh, *(number for number in absent if minimum <= number < end)}):
            path = tiles.bundle_path(tiles.STATEMENTS, number)
            data = self._public.read(path)
            if data is None or (number not in absent and bundles.is_packed(data)):
                continue
            start = number * TILE_WIDTH
            kept = statements(start, start + TILE_WIDTH) if number in absent else None
            changed += self._replace(path, data, kept, start)
        self._packed = max(self._packed, end)
        return changed

    def _replace(self, path: str, data: bytes, kept: list[bytes] | None, start: int) -> bool:
        try:
            there = bundles.decode_statements(bundles.unpack(data), TILE_WIDTH, gaps=True)
        except EncodingError as error:
            raise AlteredError(f"`{path}` is not a statement bundle: {error.message}", index=start) from error
        kept = there if kept is None else kept
        for slot, (old, new) in enumerate(zip(there, kept, strict=True)):
            if old and new and old != new:
                raise AlteredError(f"statement {start + slot} differs from the journal's", index=start + slot)
        if not any(kept):
            self._public.remove(path)
            return True
        packed = bundles.pack(bundles.encode_statements(kept))
        if packed == data:
            return False
        self._public.replace(path, packed)
        return True

    def minimum(self) -> int:
        """Return the first index that is served; 0 where nothing was pruned."""
        return read_minimum(self._public)

    def published(self) -> int:
        """Return how many records are under the published checkpoint."""
        return self._size()

    def prune(self, minimum: int) -> int:
        """Remove entry bundles, statement bundles and lowest tiles that lie wholly before ``minimum``.

        The minimum is published first. If we die in between, the next pruning removes what is left.
        """
        before = self.minimum()
        minimum = min(minimum, self._size()) // TILE_WIDTH * TILE_WIDTH
        if minimum > before:
            self._public.replace(MINIMUM, f"{minimum}\n".encode())
        for number in range(max(before, minimum) // TILE_WIDTH):
            for kind in (tiles.ENTRIES, tiles.STATEMENTS):
                self._public.remove(tiles.bundle_path(kind, number))
            self._public.remove(tiles.Tile(0, number, TILE_WIDTH).full_path)
        return max(before, minimum)
