"""Every bound in one place: a name, a unit, a reason."""

from typing import Final

MAX_BODY_BYTES: Final = 32 * 1024
"""A record's canonical body, in bytes. Large payloads belong elsewhere; the record holds their digest."""

MAX_BATCH_BODY_BYTES: Final = 1024 * 1024
"""The body of a batch record (``records.captured``), in bytes; no other kind may be longer than MAX_BODY_BYTES."""

MAX_STATEMENT_BYTES: Final = 4096
"""A signed statement, in bytes. Ours are about 220; room for longer identifiers, none for abuse."""

MAX_DEPTH: Final = 16
"""Nesting of arrays and objects in any JSON we sign or accept."""

MAX_REQUEST_BYTES: Final = 256 * 1024
"""One API request body, in bytes. Over it the request is refused, never judged in part."""

MAX_ITEM_BYTES: Final = 32 * 1024
"""A captured item's canonical text, in bytes: as a record's body, for the same reason."""

MAX_BATCH_ITEMS: Final = 512
"""Items in one batch: enough to share one signature and one sync, few enough to answer for one by one."""

MAX_BATCH_EVALUATIONS: Final = 100
"""Evaluations in one AuthZEN batch."""

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""Integers beyond this differ between JSON readers (RFC 8785 section 3.2.2.3)."""

MAX_IDENTIFIER_CHARS: Final = 256
"""An identifier of an agent, a tool, a task, in characters."""

MAX_CHECKPOINT_BYTES: Final = 64 * 1024
"""A signed note with cosignatures, in bytes."""

MAX_NOTE_SIGNATURES: Final = 64
"""Signature lines on one note (C2SP signed-note asks for at least 16)."""

MAX_PROOF_HASHES: Final = 63
"""Hashes in one inclusion or consistency proof (C2SP tlog-witness)."""

TILE_WIDTH: Final = 256
"""Hashes in a full tile, entries in a full bundle (C2SP tlog-tiles)."""

SALT_BYTES: Final = 32
"""Random salt of each body: hides a guessable body behind its digest."""

KEY_ID_BYTES: Final = 16
"""Length of a key identifier: the first bytes of SHA-256 over the raw public key."""
