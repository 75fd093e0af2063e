"""The two clients: ``Client`` blocks, ``AsyncClient`` awaits. What they ask is in ``asking``, the work in ``flows``."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from sealgate.sdk import calls, flows
from sealgate.sdk.answers import Decision, Recorded
from sealgate.sdk.asking import Asking, capture
from sealgate.sdk.calls import Status
from sealgate.sdk.chain import Chain
from sealgate.sdk.drafts import Draft
from sealgate.sdk.errors import ApprovalRequired
from sealgate.sdk.transport import Call


class Client(Asking, Chain[Recorded]):
    """Asks the authority and waits for its answer. Safe to share between threads."""

    def _capture(self, draft: Draft) -> Recorded:
        return capture(self.core, draft)

    def decide(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        server: str | None = None,
        facts: Mapping[str, Any] | None = None,
        redeem: bool = False,
    ) -> Decision:
        """Ask for one decision. The answer is true only if the action may run; look before you act.

        Raises:
            ActionNotRun: there is no readable decision.
        """
        return self.core.run(self._decide(tool, arguments, server, facts, redeem=redeem))

    def redeem(self, decision: Decision, tool: str, arguments: Mapping[str, Any]) -> None:
        """Use up the permit of a decision, just before the action runs with exactly these arguments.

        Raises:
            ActionNotRun: the permit does not fit, is expired or used, or the authority did not answer.
        """
        self.core.run(self._redeem(decision, tool, arguments))

    def wait_for_approval(self, asked: Decision | ApprovalRequired | str, timeout_s: float) -> str:
        """Wait until people decided, at most ``timeout_s``; return the approval's state.

        `granted`: ask again with exactly the same arguments. `requested`: the time was over first. Anything else is no.

        Args:
            asked: the decision, the exception, or the approval's id.
            timeout_s: seconds.
        """
        return self.core.run(self._wait_for_approval(asked, timeout_s))

    def report(
        self,
        decision: Decision,
        status: Status,
        *,
        duration_ms: int = 0,
        output_sha256: str | None = None,
        output_size_bytes: int | None = None,
        error_type: str | None = None,
        error_message: str = "",
    ) -> Recorded:
        """Report what became of a permitted action: delivered now, or spooled and delivered later."""
        report = {
            "status": status,
            "duration_ms": duration_ms,
            "output_sha256": output_sha256,
            "output_size_bytes": output_size_bytes,
            "error_type": error_type,
            "error_message": error_message,
        }
        return self.core.run(self._report(decision, report))

    def delegate(
        self,
        delegate: str,
        *,
        tools: Sequence[str] | None = None,
        resources: Sequence[str] | None = None,
        bounds: Sequence[Mapping[str, Any]] = (),
        below: str | None = None,
        expires_in_s: int | None = None,
        reason: str = "",
    ) -> str:
        """Let another agent act on behalf of this one; return the delegation's id, for ``task(delegation=…)``.

        Inside a task with a delegation, or with ``below``, it goes below that one and can only be narrower.
        """
        return self.core.run(self._delegate(delegate, tools, resources, bounds, below, expires_in_s, reason))

    def revoke_delegation(self, delegation_id: str, reason: str) -> Recorded:
        """Take a delegation back, with everything below it."""
        return self.core.run(flows.record(calls.revocation(delegation_id, reason)))

    def flush(self, timeout_s: float = 0.0) -> int:
        """Send what waits and return how many reports and items still wait.

        Args:
            timeout_s: how long to try again if the servers do not take all at once.
        """
        return self._flush(timeout_s)

    @property
    def asynchronous(self) -> "AsyncClient":
        """The awaiting client with the same settings and spool."""
        return AsyncClient(core=self.core)

    def close(self) -> None:
        """Close the connections."""
        self.core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(Asking, Chain[Awaitable[Recorded]]):
    """Asks the authority and awaits its answer. Over the Unix socket it serves any event loop."""

    def _capture(self, draft: Draft) -> Awaitable[Recorded]:
        if draft.observation is None:
            return self.core.recorder.capture_async(draft)
        return self._observed(draft, draft.observation)

    async def _observed(self, draft: Draft, observation: Call) -> Recorded:
        await self.core.run_async(flows.record(observation))
        return await self.core.recorder.capture_async(draft)

    async def decide(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        server: str | None = None,
        facts: Mapping[str, Any] | None = None,
        redeem: bool = False,
    ) -> Decision:
        """See Client.decide."""
        return await self.core.run_async(self._decide(tool, arguments, server, facts, redeem=redeem))

    async def redeem(self, decision: Decision, tool: str, arguments: Mapping[str, Any]) -> None:
        """See Client.redeem."""
        await self.core.run_async(self._redeem(decision, tool, arguments))

    async def wait_for_approval(self, asked: Decision | ApprovalRequired | str, timeout_s: float) -> str:
        """See Client.wait_for_approval."""
        return await self.core.run_async(self._wait_for_approval(asked, timeout_s))

    async def report(
        self,
        decision: Decision,
        status: Status,
        *,
        duration_ms: int = 0,
        output_sha256: str | None = None,
        output_size_bytes: int | None = None,
        error_type: str | None = None,
        error_message: str = "",
    ) -> Recorded:
        """See Client.report."""
        report = {
            "status": status,
            "duration_ms": duration_ms,
            "output_sha256": output_sha256,
            "output_size_bytes": output_size_bytes,
            "error_type": error_type,
            "error_message": error_message,
        }
        return await self.core.run_async(self._report(decision, report))

    async def delegate(
        self,
        delegate: str,
        *,
        tools: Sequence[str] | None = None,
        resources: Sequence[str] | None = None,
        bounds: Sequence[Mapping[str, Any]] = (),
        below: str | None = None,
        expires_in_s: int | None = None,
        reason: str = "",
    ) -> str:
        """See Client.delegate."""
        flow = self._delegate(delegate, tools, resources, bounds, below, expires_in_s, reason)
        return await self.core.run_async(flow)

    async def revoke_delegation(self, delegation_id: str, reason: str) -> Recorded:
        """See Client.revoke_delegation."""
        return await self.core.run_async(flows.record(calls.revocation(delegation_id, reason)))

    async def flush(self, timeout_s: float = 0.0) -> int:
        """See Client.flush."""
        return await asyncio.to_thread(self._flush, timeout_s)

    async def close(self) -> None:
        """Close the connections."""
        await self.core.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
