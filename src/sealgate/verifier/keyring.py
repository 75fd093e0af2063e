"""Which key may sign the statement at which index: the trust file's ranges, narrowed by the log's own key events.

A key begins at the earlier of what the trust file says and its ``key.added`` record, and ends at the earlier of what
the trust file says and its ``key.retired`` or ``key.revoked`` record; it never comes back. Key events count only with
the root key's endorsement. An event takes effect at its own index.
"""

from typing import Any, Final

from ..encoding.statement import key_id
from ..model.errors import AlteredError, EncodingError, NotProvenError
from ..proofs import notes
from ..proofs.key_events import ADDED, GENESIS, KINDS, STATEMENT
from ..proofs.keys import require_public_key
from ..proofs.trust import Trust
from .record import require_endorsed

KEY_EVENTS: Final = KINDS - {GENESIS}
"""Records that change which keys are valid."""

_Range = tuple[int, int | None]


class KeyRing:
    """The statement keys, as known up to the record that was looked at last."""

    def __init__(self, trusted: Trust) -> None:
        self._root_key, self._origin = trusted.root_key, trusted.origin
        self._public: dict[bytes, bytes] = {}
        self._ranges: dict[bytes, list[_Range]] = {}
        for key in trusted.statement_keys:
            self._public[key.kid] = key.public_key
            self._ranges.setdefault(key.kid, []).append((key.from_index, key.to_index))

    def key_at(self, kid: bytes, index: int) -> bytes:
        """Return the public key of ``kid`` once it may sign at ``index``.

        Raises:
            NotProvenError: nobody vouches for the key.
            AlteredError: the key is known, and was not valid there.
        """
        for start, end in self._ranges.get(kid, ()):
            if start <= index and (end is None or index < end):
                return self._public[kid]
        if kid not in self._public:
            raise NotProvenError(f"statement's key {kid.hex()} is not trusted at index {index}")
        raise AlteredError(f"statement's key {kid.hex()} was not valid at index {index}", index=index)

    def apply(self, record: dict[str, Any], index: int) -> None:
        """Take a key event at ``index`` into account.

        Raises:
            AlteredError: the root key did not endorse it.
            EncodingError: it does not say what a key event says.
        """
        require_endorsed(record, self._root_key, self._origin, index)
        if record.get("purpose") != STATEMENT:
            return
        kid = _kid(record)
        if record["kind"] == ADDED:
            self._add(kid, record, index)
        else:
            known = self._ranges.get(kid, [])
            self._ranges[kid] = [(start, index if end is None else min(end, index)) for start, end in known]

    def _add(self, kid: bytes, record: dict[str, Any], index: int) -> None:
        encoded = record.get("public_key")
        if not isinstance(encoded, str):
            raise EncodingError("key event has no public key")
        raw = require_public_key(notes.decode_base64(encoded, "public key"))
        if key_id(raw) != kid:
            raise EncodingError("key event's key does not fit its key id")
        self._public[kid] = raw
        known = self._ranges.get(kid)
        self._ranges[kid] = _begin(known, index) if known else [(index, None)]

    def export(self) -> dict[str, Any]:
        """Return what a resumed run needs."""
        return {
            kid.hex(): {"key": self._public[kid].hex(), "ranges": [list(item) for item in ranges]}
            for kid, ranges in self._ranges.items()
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from what ``export`` gave."""
        self._public = {bytes.fromhex(kid): bytes.fromhex(entry["key"]) for kid, entry in saved.items()}
        self._ranges = {bytes.fromhex(kid): [(a, b) for a, b in entry["ranges"]] for kid, entry in saved.items()}


def _begin(known: list[_Range], index: int) -> list[_Range]:
    """Let the first range begin at ``index`` if that is earlier; its end stays as the trust file has it."""
    (start, end), *rest = sorted(known, key=_start)
    return [(min(start, index), end), *rest]


def _start(item: _Range) -> int:
    return item[0]


def _kid(record: dict[str, Any]) -> bytes:
    text = record.get("key_id")
    try:
        kid = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError as error:
        raise EncodingError("key event's key id is not hexadecimal") from error
    if len(kid) != 16:
        raise EncodingError("key event has no key id")
    return kid
