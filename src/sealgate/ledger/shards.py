"""A log ends, its successor begins where it ended.

A shard is one origin: half a year, or one retention class. Its last leaf is a record of kind ``shard.close`` that
names the next origin; the next log's genesis carries the closed log's final checkpoint, word for word with its
cosignatures, as ``predecessor``. So the chain of logs is signed from both sides, and an old shard can be pruned without
losing what came after.
"""

from sealgate.ledger.log import Ledger
from sealgate.model.errors import EncodingError, ForkError, InputError
from sealgate.proofs import notes, quorum
from sealgate.proofs.checkpoints import Checkpoint
from sealgate.proofs.notes import VerifierKey

CLOSE_KIND = "shard.close"


def close_members(origin: str, next_origin: str) -> dict[str, str]:
    """Return the members of a ``shard.close`` body that say what follows.

    Raises:
        InputError: the successor would have the same name.
    """
    notes.require_key_name(next_origin)
    if next_origin == origin:
        raise InputError(f"`{next_origin}` is the log's own name", hint="a successor needs a new origin")
    return {"kind": CLOSE_KIND, "next_origin": next_origin}


def close(ledger: Ledger, index: int) -> str:
    """Close the log at the ``shard.close`` record of ``index``; return the text for the successor's ``predecessor``.

    From here on the lock refuses every further checkpoint of this origin. Witnesses may still cosign the last one:
    call ``predecessor`` again for the text with their lines.
    """
    ledger.close_shard(index)
    return predecessor(ledger)


def predecessor(ledger: Ledger) -> str:
    """Return the final checkpoint with the cosignatures that it has by now."""
    note = ledger.checkpoint()
    if note is None:
        raise InputError("an empty log has no final checkpoint", hint="append the `shard.close` record first")
    return note.decode()


def require_successor(text: str, key: VerifierKey, *, close_index: int) -> Checkpoint:
    """Return the closed log's final checkpoint if ``text``, found in a genesis, is signed by ``key`` and ends there.

    Raises:
        ForkError: it is another size than the closing record gives.
        EncodingError, AlteredError, NotProvenError: it is no checkpoint of that log.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise EncodingError("predecessor is not text") from error
    head = quorum.verify_checkpoint(data, log=key).checkpoint
    if head.size != close_index + 1:
        raise ForkError(f"the predecessor has size {head.size}, its closing record ends it at {close_index + 1}")
    return head
