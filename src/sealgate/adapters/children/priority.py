"""The priority of a helping process whose work no decision waits for."""

import contextlib
import os
from typing import Final

_BELOW: Final = 10
"""As much below the authority as its evidence service: a tenth of a processor is left where others want all of it."""


def give_way() -> None:
    """Let the authority, its signatures and its judge have the processors first from now on (nice(2)).

    It counts because all are in one session (ADR 0202). Where a sandbox forbids it, all is as it was.
    """
    with contextlib.suppress(OSError):
        os.nice(_BELOW)
