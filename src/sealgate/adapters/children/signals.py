"""Signals in a helping process: a stop reaches the whole service at once, and it is the asker that stops in order."""

import signal


def leave_to_asker() -> None:
    """Ignore Ctrl-C and SIGTERM from now on: the asker needs us for its last records, then ends us."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
