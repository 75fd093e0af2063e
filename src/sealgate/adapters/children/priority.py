"""The priority of a helping process whose work no decision waits for."""

import contextlib
import os
from typing import Final

BELOW: Final = 10
"""Steps below the authority: a tenth of a processor is left to such work where others want all of it."""


def give_way() -> None:
    """Let the authority, its signatures and its judge have the processors first from now on (nice(2)).

    It counts because all are in one session (ADR 0202). Where a sandbox forbids it, all is as it was.
    """
    with contextlib.suppress(OSError):
        os.nice(BELOW)
