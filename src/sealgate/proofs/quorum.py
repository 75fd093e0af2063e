"""When a checkpoint is believed: the log signed it, and a quorum of the configured witnesses saw it grow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..model.errors import EncodingError, NotProvenError
from . import tree
from .checkpoints import Checkpoint, parse
from .cosignatures import Cosignature, verify_note
from .notes import VerifierKey


@dataclass(frozen=True, slots=True)
class VerifiedCheckpoint:
    """A checkpoint that the log signed and enough witnesses cosigned. ``data`` is the whole note as it was read."""

    checkpoint: Checkpoint
    cosignatures: tuple[Cosignature, ...]
    data: bytes

    @property
    def origin(self) -> str:
        """The log's name."""
        return self.checkpoint.origin

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        """The tree's root hash."""
        return self.checkpoint.root


def verify_checkpoint(
    data: bytes,
    *,
    log: VerifierKey,
    origin: str | None = None,
    witnesses: Sequence[VerifierKey] = (),
    quorum: int = 0,
    extensions_allowed: bool = False,
) -> VerifiedCheckpoint:
    """Return the checkpoint of ``data`` once the log's signature and a quorum of witnesses verified.

    ``origin`` defaults to the log key's name, as our logs have it. Keys and quorum come from the verifier's own
    configuration, never from the log.

    Raises:
        EncodingError: malformed, or extension lines where they are not allowed.
        AlteredError: a signature of a known key does not verify.
        NotProvenError: another log, no signature of the log, or too few witnesses.
    """
    checkpoint, note = parse(data)
    expected = log.name if origin is None else origin
    if checkpoint.origin != expected:
        raise NotProvenError(f"checkpoint is of `{checkpoint.origin[:120]}`, not of `{expected}`")
    if checkpoint.extensions and not extensions_allowed:
        raise EncodingError("checkpoint has extension lines")
    if not checkpoint.size and checkpoint.root != tree.EMPTY_ROOT:
        raise EncodingError("checkpoint of an empty log has the wrong root")
    verified = verify_note(note, (log, *witnesses))
    if not any(item.key == log for item in verified):
        raise NotProvenError(f"checkpoint is not signed by the log key `{log.name}`")
    cosignatures = tuple(item for item in verified if item.key != log and item.time is not None)
    if count_witnesses(cosignatures) < quorum:
        raise NotProvenError(f"checkpoint has {count_witnesses(cosignatures)} of {quorum} witness cosignatures")
    return VerifiedCheckpoint(checkpoint, cosignatures, data)


def count_witnesses(cosignatures: Iterable[Cosignature]) -> int:
    """Count different witnesses: one name with two keys is one, and so is one key under two names."""
    listed = list(cosignatures)
    return min(len({item.key.name for item in listed}), len({item.key.public_key for item in listed}))
