"""The credential broker: a secret for the action that was permitted, for as long as it takes, and not longer.

Issue, in order; whatever refuses is recorded:

1. the caller names an open PERMIT of an agent that it speaks for; its policy carries ``credential:<name>``, or its tool
   is mapped to the credential; there is no other live credential of this name for this PERMIT; the agent is not paused
2. ``credential.requested`` is durable: whatever happens from here on, the next start knows what may exist
3. the backend makes it, in a worker thread
4. ``credential.issued`` is durable; the secret leaves, unless the PERMIT ended or the agent was paused meanwhile

A credential ends at the outcome, when the permit or its own time is over, with its task, when its agent is paused, or
by an operator. ``credential.revoked`` is written after the backend has said so. A backend that fails is asked again,
with growing pauses, until it is done; that is shown by readiness, metrics and the list of credentials.

Not handled here: how a backend makes and ends anything (``ports.credentials``).
"""

import asyncio
import base64
import logging
from collections.abc import Iterable
from typing import Final

from sealgate.authority import answers, credential_rules
from sealgate.authority.credential_endings import INTERNAL, Endings
from sealgate.authority.credential_records import CredentialRecords
from sealgate.authority.credential_rules import Lapsed, Rules
from sealgate.authority.credential_sources import Source, Workers
from sealgate.authority.credential_strays import Strays
from sealgate.authority.credential_views import CredentialViews
from sealgate.authority.drafts import Draft, Receipt
from sealgate.authority.permits import OpenDecision, PermitMac
from sealgate.authority.recorder import Recorder
from sealgate.authority.state import Memory
from sealgate.encoding import canonical
from sealgate.model.credentials import (
    Cause,
    CredentialRequest,
    CredentialResponse,
    CredentialRevocation,
    Lease,
)
from sealgate.model.errors import NotPermittedError, SealgateError, UnavailableError
from sealgate.model.evaluation import Identity
from sealgate.model.identifiers import require_name, require_uuid
from sealgate.model.lifecycle import State
from sealgate.model.records import Kind
from sealgate.ports.credentials import Order, Secret

_LOG = logging.getLogger(__name__)
_OPEN: Final = (State.PERMITTED, State.REDEEMED)


class Broker:
    """Issues, lists and ends credentials. One event loop owns it."""

    def __init__(
        self,
        *,
        memory: Memory,
        recorder: Recorder,
        permits: PermitMac,
        sources: Iterable[Source] = (),
        lapsed: Lapsed = lambda _decision, _now_ms: None,
    ) -> None:
        self._memory = memory
        self._leases = memory.leases
        self._time = recorder.time
        self._new_draft = recorder.draft
        self._lapsed = lapsed
        by_name = {source.name: source for source in sources}
        self._sources = by_name
        self._workers = {name: Workers(source) for name, source in by_name.items()}
        self._rules = Rules(memory=memory, permits=permits, sources=by_name, lapsed=lapsed)
        self._records = CredentialRecords(memory, recorder)
        self.views = CredentialViews(self._leases, self._records, self._time)
        self._endings = Endings(
            leases=self._leases, records=self._records, time=self._time, sources=by_name, workers=self._workers
        )
        self._strays = Strays(
            leases=self._leases, endings=self._endings, time=self._time, sources=by_name, workers=self._workers
        )

    # Issue

    async def issue(self, request: CredentialRequest, caller: Identity) -> CredentialResponse:
        """Hand out a credential; see the module for the steps.

        Raises:
            InputError: the request cannot be understood.
            NotPermittedError: no open PERMIT of the caller allows it now; the refusal is recorded.
            UnavailableError: the backend or the journal refused; what was begun is ended.
        """
        require_name(request.name, "credential name")
        credential_rules.check_confirmation(request.confirmation)
        making = asyncio.ensure_future(self._issue(request, caller))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(self._nobody_waits)  # a credential that nobody received must not live on
            raise

    def _nobody_waits(self, making: "asyncio.Future[CredentialResponse]") -> None:
        if not making.cancelled() and making.exception() is None:
            self._endings.end([self._leases.get(making.result().credential_id)], "issue_failed")

    async def _issue(self, request: CredentialRequest, caller: Identity) -> CredentialResponse:
        decision: OpenDecision | None = None
        now_ms = self._time.now_ms()
        try:
            decision = self._rules.decision(request, caller)
            source = self._rules.source(request, decision, now_ms)
            audience, scope = credential_rules.narrowed(request, source)
            expires_ms = credential_rules.expiry(source, decision, now_ms)
        except NotPermittedError as refusal:
            await self._records.refused(request.name, decision, None, refusal.code, caller)
            raise
        # From the checks to the lease nothing is awaited: of two requests for one name the second finds the first.
        draft = self._new_draft(Kind.CREDENTIAL_REQUESTED)
        lease = Lease(
            draft.record_id,
            source.name,
            source.backend.kind,
            decision.agent,
            decision.record_id,
            decision.task_id,
            audience,
            _scope_digest(source, audience, scope),
            expires_ms,
        )
        order = Order(
            lease.credential_id,
            decision.agent,
            decision.tool,
            decision.record_id,
            decision.task_id,
            draft.unix_ms,
            expires_ms,
            audience,
            scope,
            request.confirmation,
        )
        self._leases.add(lease)
        self._endings.issuing.add(lease.credential_id)
        try:
            secret, receipt = await self._make(draft, lease, source, order, caller)
        except BaseException as error:
            await self._not_made(error, lease, decision, caller)
            raise
        self._endings.issuing.discard(lease.credential_id)
        self._records.counts["issued"] += 1
        return CredentialResponse(
            lease.credential_id,
            lease.name,
            lease.kind,
            lease.decision_id,
            lease.audience,
            self._time.text(lease.expires_ms),
            dict(secret.members),
            answers.reference(receipt),
        )

    async def _not_made(self, error: BaseException, lease: Lease, decision: OpenDecision, caller: Identity) -> None:
        self._endings.issuing.discard(lease.credential_id)
        if self._leases.get(lease.credential_id) is not None:
            self._leases.condemn(lease, "issue_failed")
            self._endings.start(lease, caller)
            code = error.code if isinstance(error, NotPermittedError) else "backend"
            await self._records.refused(lease.name, decision, lease, code, caller)

    async def _make(
        self, draft: Draft, lease: Lease, source: Source, order: Order, caller: Identity
    ) -> tuple[Secret, Receipt]:
        """Do steps 2 to 4."""
        try:
            await self._records.requested(draft, lease, caller)
        except SealgateError:
            self._leases.remove(lease.credential_id)  # no backend was asked, nothing exists
            raise
        credential_rules.require_alive(lease)
        try:
            secret = await self._workers[source.name].make(lambda: source.backend.issue(order))
        except SealgateError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, its text might hold a secret
            _LOG.error("credential `%s` could not be made: %s", lease.name, type(error).__name__)
            raise UnavailableError(f"the source of `{lease.name}` failed", hint="see the authority's log") from None
        credential_rules.require_alive(lease)
        receipt = await self._records.issued(lease, caller)
        lease.issued = True
        credential_rules.require_alive(lease)
        return secret, receipt

    # End

    def decision_ended(self, decision_id: str, cause: Cause) -> None:
        """End what serves a decision whose outcome is known, or whose time is over."""
        leases = self._leases.of_decision(decision_id)
        if leases:
            self._endings.end(leases, cause)

    async def revoke_task(self, task_id: str) -> None:
        """Begin to end what serves a task that has ended; what fails is tried again."""
        self._endings.end((lease for lease in self._leases if lease.task_id == task_id), "task_ended")

    def revoke_agent(self, agent: str) -> int:
        """End what an agent holds that was paused; return how many. New ones are refused while it is paused."""
        ended = self._endings.end((lease for lease in self._leases if lease.agent == agent), "agent_paused")
        return ended + self.revoke_lapsed()  # and what others hold on its behalf

    def revoke_lapsed(self) -> int:
        """End what serves a permit whose task or delegation is over; return how many."""
        now_ms, ended = self._time.last_ms, 0
        for lease in self._leases:
            decision = self._memory.decisions.get(lease.decision_id)
            cause = None if decision is None else self._lapsed(decision, now_ms)
            if cause is not None:
                ended += self._endings.end([lease], cause)
        return ended

    async def revoke(self, credential_id: str, caller: Identity) -> CredentialRevocation:
        """End one credential and say how it went; waits a few seconds at most.

        Raises:
            NotPermittedError: there is none that may be alive, or it is not the caller's to end.
        """
        lease = self._leases.get(require_uuid(credential_id, "credential id"))
        if lease is None or not ("operate" in caller.roles or caller.speaks_for(lease.agent)):
            hint = "`sealgate credential list` shows what is alive"
            raise NotPermittedError("no such credential is alive", code="credential-unknown", hint=hint)
        self._endings.end([lease], "operator", caller)
        await self._endings.settle(lease, caller)
        if self._leases.get(lease.credential_id) is not None:
            return CredentialRevocation(credential_id, "pending")
        return CredentialRevocation(credential_id, "left_to_expire" if lease.problem else "revoked")

    # Life

    def start(self) -> None:
        """After a replay: end what a crash left half made, and what is due; the rest goes on."""
        for lease in self._leases:
            decision = self._memory.decisions.get(lease.decision_id)
            if lease.cause is not None:
                self._endings.start(lease, INTERNAL)
            elif not lease.issued:
                self._endings.end([lease], "restart")
            elif lease.agent in self._memory.paused:
                self._endings.end([lease], "agent_paused")
            elif decision is None or decision.state not in _OPEN:
                self._endings.end([lease], "outcome")

    def sweep(self) -> None:
        """End what is older than it may be; now and then look for what exists at a backend and in no record."""
        if len(self._leases) or self._leases.revoked:
            now_ms = self._time.now_ms()
            self._endings.end((lease for lease in self._leases if lease.expires_ms <= now_ms), "expired")
            self._leases.forget_expired(now_ms)
            self.revoke_lapsed()
        self._strays.sweep()

    async def stop(self) -> None:
        """Stop trying; what is unfinished is in the journal and the next start goes on."""
        await self._endings.stop()
        await self._strays.stop()
        for workers in self._workers.values():
            workers.close()
        for source in self._sources.values():
            source.backend.close()


def _scope_digest(source: Source, audience: str | None, scope: tuple[str, ...]) -> str:
    allows: canonical.Json = {"allows": dict(source.allows), "audience": audience, "scope": list(scope)}
    digest = canonical.sha256(canonical.encode_arguments(allows))
    return base64.urlsafe_b64encode(digest)[:-1].decode()
