"""Signatures made in a process of its own, in groups (ports.signing.Signing).

Asking costs the event loop a tenth of signing, but a round trip: worth it only while some records wait.

A group's signatures are taken only if they answer that group by its number, are as many as were asked for, and one of
them, another place in each group, is the one that we make here. A process that fails this, or that dies, is started
again once; one that is late is not asked again before it has answered everything. Its group is then signed here.

Only a key that is held in memory can be handed over: one in a device stays there, and everything is signed here.
"""

import os
from collections.abc import Sequence
from typing import Final

from sealgate.adapters.children.lateness import Watch
from sealgate.adapters.children.process import Child
from sealgate.adapters.keys.file import FileSigner
from sealgate.adapters.signing import messages
from sealgate.ports.signer import Signer
from sealgate.ports.signing import Answered

_PATIENCE_S: Final = 0.03
"""A group that was under way this long, or up to twice that, is signed here; well below a decision's deadline."""

_CHALLENGE: Final = b"sealgate signing process\n"
"""What a challenge begins with: no statement does, so its signature is good for nothing else."""


class ProcessSigning:
    """One signing process. ``busy``: how many records must wait before it is asked. Owned by one event loop."""

    def __init__(self, *, busy: int = 6) -> None:
        self._busy = busy
        self._child = Child("sealgate.adapters.signing.worker", "signing process", self)
        self._watch = Watch(_PATIENCE_S, self._overdue)
        self._signer: FileSigner | None = None
        self._started = False
        self._sent = self._answered = 0
        self._handed_over = 0
        self._challenge = b""
        self._has_key = False
        self._idle = False
        self._asked: tuple[Sequence[bytes], Answered] | None = None

    def use(self, signer: Signer) -> None:
        """Hand the key over, if it is one in memory."""
        self._signer = signer if isinstance(signer, FileSigner) else None
        self._has_key = self._idle = False
        self._asked = None
        if self._signer is None:
            self._child.close()  # it would keep a key that is no longer used
        elif self._child.running:
            self._hand_over(self._signer)

    def _hand_over(self, signer: FileSigner) -> None:
        self._challenge = _CHALLENGE + os.urandom(32)
        self._sent += 1
        self._handed_over = self._sent
        self._child.send(messages.key(self._sent, signer.secret, self._challenge))

    def busy(self, waiting: int) -> bool:
        """Tell whether enough wait, and the process has the key and has answered everything.

        The first time that enough wait it is started: an authority that is never busy needs none.
        """
        if waiting < self._busy:
            return False
        if not self._started and self._signer is not None:
            self._started = True
            self._child.start()
        return self._idle

    def ask(self, inputs: Sequence[bytes], answered: Answered) -> bool:
        """Have these signed; return False where the caller should sign by itself."""
        if not self._idle or len(inputs) > messages.MAX_INPUTS:
            return False
        self._idle = False
        self._sent += 1
        self._asked = inputs, answered
        self._child.send(messages.group(self._sent, inputs))
        self._watch.asked(self._sent)
        return True

    def abandon(self) -> None:
        """Forget the group under way; its answer, when it comes, only shows that the process is there."""
        self._asked = None

    def _overdue(self, newest: int) -> bool:
        if self._sent <= newest:
            self._give_up()
        return self._asked is not None

    def _give_up(self) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            asked[1](None)

    def ready(self) -> None:
        """The process runs: give it the key."""
        if self._signer is not None:
            self._hand_over(self._signer)

    def received(self, payload: bytes) -> None:
        """Take in signatures.

        Raises:
            ValueError: they are not what was asked for.
        """
        number, signatures = messages.read_answer(payload)
        if number != self._answered + 1 or self._signer is None:
            raise ValueError(number)
        asked = self._asked
        if number == self._handed_over:
            _require(self._signer, [self._challenge], signatures, 0)
            self._has_key = True
        elif asked is not None:
            _require(self._signer, asked[0], signatures, number % len(asked[0]))
        self._answered = number
        self._idle = self._has_key and number == self._sent
        if asked is not None and number != self._handed_over:
            self._asked = None
            asked[1](signatures)

    def lost(self) -> None:
        """The process is gone: who asked signs by itself."""
        self._has_key = self._idle = False
        self._answered = self._sent
        self._give_up()

    def close(self) -> None:
        """End the process. It holds nothing that would have to be saved."""
        self._has_key = self._idle = False
        self._asked = None
        self._child.close()


def _require(signer: FileSigner, inputs: Sequence[bytes], signatures: Sequence[bytes], place: int) -> None:
    """Compare how many signatures there are, and the one at ``place`` with one of our own.

    Raises:
        ValueError: the process signs something else.
    """
    if len(signatures) != len(inputs) or signatures[place] != signer.sign(inputs[place]):
        raise ValueError(place)
