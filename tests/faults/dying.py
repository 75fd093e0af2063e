"""A process that dies before one of its system calls, as a power cut would have it."""

import asyncio
import os
import signal
from typing import Final

CALLS: Final = ("rename", "fsync", "fdatasync", "unlink", "pwrite")


def die_before(count, *, with_parent=False) -> None:
    """Let this process die before its ``count``-th call; before it, where that is asked, who started it."""
    left = [count]
    for name in CALLS:
        real = getattr(os, name)

        def call(*args, _real=real, **more):
            left[0] -= 1
            if left[0] == 0:
                if with_parent:
                    os.kill(os.getppid(), signal.SIGKILL)
                os._exit(9)
            return _real(*args, **more)

        setattr(os, name, call)


def in_child(work, count=0) -> int:
    """Run a coroutine in a forked process, which dies before its ``count``-th call; return how it ended."""
    child = os.fork()
    if child == 0:
        try:
            if count:
                die_before(count)
            asyncio.run(work)
        except BaseException:  # noqa: BLE001 - the parent sees the status
            os._exit(1)
        os._exit(0)
    work.close()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
