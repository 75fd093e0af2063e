"""The transparency log as the authority sees it: fed from the journal, asked for proofs."""

from typing import Literal, Protocol

from sealgate.ports.signer import Signer

ReceiptState = Literal["signed", "included", "witnessed", "timestamped"]


class TransparencyLog(Protocol):
    """A Merkle log over the journal's statements, in journal order.

    ``step`` is called from one thread; the other methods from any. Everything they return is about the published
    checkpoint, never about one that is being made.
    """

    def step(self) -> bool:
        """Sequence all durable records that are not in the tree yet, publish; tell whether there were any.

        Blocks for several syncs.

        Raises:
            UnavailableError: storage failed; the state on disk is recoverable and the call may be repeated.
            ForkError: the lock database or a witness knows another history. Final: nothing may be signed any more.
        """

    def size(self) -> int:
        """Return the size of the published tree; 0 before the first checkpoint."""

    def receipt_state(self, index: int) -> ReceiptState:
        """Return how much is proved about the record at ``index``."""

    def tlog_proof(self, index: int, statement: bytes) -> bytes:
        """Return the C2SP tlog-proof of a record that is included.

        Raises:
            NotProvenError: it is not included yet.
        """

    def use_receipt_signer(self, signer: Signer) -> None:
        """Sign transparent statements from now on with ``signer``."""

    def transparent_statement(self, index: int, statement: bytes) -> bytes:
        """Return the RFC 9943 transparent statement of a record that is included.

        Raises:
            NotProvenError: it is not included yet.
        """
