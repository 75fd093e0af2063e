"""Callers that wait until an approval is decided."""

import asyncio
import contextlib
from typing import Final

from sealgate.authority.approval import Approval
from sealgate.model.lifecycle import ApprovalState

MAX_WAIT_S: Final = 30.0
MAX_WAITING: Final = 1024


class Waiting:
    """Who waits. Beyond ``MAX_WAITING`` nobody does: they are answered at once."""

    def __init__(self) -> None:
        self._changes: dict[str, asyncio.Event] = {}
        self._waiting = 0

    async def until_decided(self, approval: Approval, wait_s: float) -> None:
        """Return as soon as the approval is decided, or after ``wait_s``."""
        loop = asyncio.get_running_loop()
        until = loop.time() + min(wait_s, MAX_WAIT_S)
        self._waiting += 1
        try:
            while approval.state is ApprovalState.REQUESTED and self._waiting <= MAX_WAITING:
                left = until - loop.time()
                if left <= 0:
                    break
                event = self._changes.setdefault(approval.id, asyncio.Event())
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), left)
        finally:
            self._waiting -= 1

    def changed(self, approval_id: str) -> None:
        """Let those go on who wait for this approval."""
        event = self._changes.pop(approval_id, None)
        if event is not None:
            event.set()

    def wake_all(self) -> None:
        """Let everybody who waits go on: the authority stops."""
        for approval_id in list(self._changes):
            self.changed(approval_id)
        self._waiting = MAX_WAITING
