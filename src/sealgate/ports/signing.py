"""Signing elsewhere: signatures on another processor, for an authority that has more than one."""

from collections.abc import Callable, Sequence
from typing import Protocol

from sealgate.ports.signer import Signer

Answered = Callable[[Sequence[bytes] | None], None]
"""Called with one signature for each input, in their order, or with None: then the caller signs by itself."""


class Signing(Protocol):
    """Signs groups of inputs with one key in another process. Owned by one event loop.

    A signature is the same wherever it is made (Ed25519 is deterministic), so one that is made twice is no harm.
    Signing elsewhere only ever adds speed: whoever asks can do it alone, and does when there is no answer.
    """

    def use(self, signer: Signer) -> None:
        """Sign with this key from now on, if it can be handed over; until it is there, nobody is ``busy``.

        A group under way is not answered any more.
        """

    def busy(self, waiting: int) -> bool:
        """Tell whether asking is worth it while so many inputs wait, and possible now.

        The other process may be started only when it is first worth it.
        """

    def ask(self, inputs: Sequence[bytes], answered: Answered) -> bool:
        """Have these signed; return False where the caller should sign by itself.

        One group is under way at a time. ``answered`` is called once, later, on the event loop: at the latest when the
        other process has died or a deadline of its own has passed.
        """

    def abandon(self) -> None:
        """Forget the group under way: its ``answered`` will not be called."""

    def close(self) -> None:
        """Let the other process end. Idempotent."""
