"""``python -m sealgate.cli._child ARGUMENTS``: the command line, in a process that ends when its parent does.

The kernel sends SIGTERM when the parent dies, however it dies: an authority that is killed leaves no collector behind
that would hold the socket of the next one. Ctrl-C at the authority's terminal does not reach the child.
"""

import ctypes
import os
import signal
import sys
from typing import Final

from sealgate.cli import main

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def _end_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() == 1:  # it died before we asked
        sys.exit(1)


def _leave_foreground() -> None:
    """Leave the terminal's signals to the authority, which stops us in order; but write to it, whatever it is set to.

    A session of our own would do as much, and make our priority mean nothing: see ``_children``.
    """
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)


if __name__ == "__main__":
    _end_with_parent()
    _leave_foreground()
    main()
