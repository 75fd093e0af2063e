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
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from sealgate.authority import answers
from sealgate.authority.permits import OpenDecision, PermitMac, record_id_of
from sealgate.authority.recorder import Draft, Receipt, Recorder
from sealgate.authority.state import Memory
from sealgate.encoding import canonical
from sealgate.model.credentials import (
    Cause,
    CredentialRequest,
    CredentialResponse,
    CredentialRevocation,
    CredentialView,
    Lease,
    Result,
    RevokedToken,
    RevokedTokens,
)
from sealgate.model.errors import InputError, NotPermittedError, SealgateError, UnavailableError
from sealgate.model.evaluation import Identity
from sealgate.model.identifiers import require_name, require_uuid
from sealgate.model.lifecycle import State
from sealgate.model.records import Kind
from sealgate.ports.credentials import CredentialBackend, Ended, Order, Secret

_LOG = logging.getLogger(__name__)
_INTERNAL: Final = Identity(principal="sealgate", proof="internal")
_THREADS: Final = 4
_LEAST_LIFE_MS: Final = 1000
_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 30.0
_WAIT_S: Final = 5.0
_RECONCILE_S: Final = 60.0
_CONFIRMATIONS: Final = frozenset({"jkt", "x5t#S256"})

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Source:
    """One configured credential: where it comes from, for which tools, how long it lives at most.

    ``allows`` says what it lets its holder do, as JSON; records carry its digest.
    """

    name: str
    backend: CredentialBackend
    tools: frozenset[str] = frozenset()
    lifetime_ms: int = 300_000
    allows: Mapping[str, Any] = field(default_factory=dict)


class _Workers:
    """The threads of one source. Ending never waits behind making: each has threads of its own."""

    def __init__(self, source: Source) -> None:
        self._makers = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"credential-{source.name}")
        self._enders = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"revoke-{source.name}")

    async def make(self, function: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._makers, function)

    async def end(self, function: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._enders, function)

    def close(self) -> None:
        for pool in (self._makers, self._enders):
            pool.shutdown(wait=False, cancel_futures=True)


class Broker:
    """Issues, lists and ends credentials. One event loop owns it."""

    def __init__(
        self, *, memory: Memory, recorder: Recorder, permits: PermitMac, sources: Iterable[Source] = ()
    ) -> None:
        self._memory = memory
        self._leases = memory.leases
        self._recorder = recorder
        self._permits = permits
        self._sources = {source.name: source for source in sources}
        self._workers = {name: _Workers(source) for name, source in self._sources.items()}
        self._issuing: set[str] = set()
        self._endings: dict[str, asyncio.Task[None]] = {}
        self._reconciling: asyncio.Task[None] | None = None
        self._next_reconcile_s = 0.0
        self.counts: dict[str, int] = {"issued": 0, "refused": 0, "revoked": 0, "left_to_expire": 0, "failures": 0}

    # Issue

    async def issue(self, request: CredentialRequest, caller: Identity) -> CredentialResponse:
        """Hand out a credential; see the module for the steps.

        Raises:
            InputError: the request cannot be understood.
            NotPermittedError: no open PERMIT of the caller allows it now; the refusal is recorded.
            UnavailableError: the backend or the journal refused; what was begun is ended.
        """
        require_name(request.name, "credential name")
        _check_confirmation(request.confirmation)
        making = asyncio.ensure_future(self._issue(request, caller))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(self._nobody_waits)  # a credential that nobody received must not live on
            raise

    def _nobody_waits(self, making: "asyncio.Future[CredentialResponse]") -> None:
        if not making.cancelled() and making.exception() is None:
            self._end_all([self._leases.get(making.result().credential_id)], "issue_failed")

    async def _issue(self, request: CredentialRequest, caller: Identity) -> CredentialResponse:
        decision: OpenDecision | None = None
        try:
            decision = self._decision(request, caller)
            source = self._allowed(request, decision)
            audience, scope = _narrowed(request, source)
            expires_ms = self._expiry(source, decision)
        except NotPermittedError as refusal:
            await self._refused(request.name, decision, None, refusal.code, caller)
            raise
        # From the checks to the lease nothing is awaited: of two requests for one name the second finds the first.
        draft = self._recorder.draft(Kind.CREDENTIAL_REQUESTED)
        digest = canonical.sha256(
            canonical.encode_arguments({"allows": dict(source.allows), "audience": audience, "scope": list(scope)})
        )
        lease = Lease(
            draft.record_id,
            source.name,
            source.backend.kind,
            decision.agent,
            decision.record_id,
            decision.task_id,
            audience,
            base64.urlsafe_b64encode(digest)[:-1].decode(),
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
        self._issuing.add(lease.credential_id)
        try:
            secret, receipt = await self._make(draft, lease, source, order, caller)
        except BaseException as error:
            self._issuing.discard(lease.credential_id)
            if self._leases.get(lease.credential_id) is not None:
                self._leases.condemn(lease, "issue_failed")
                self._start_ending(lease, caller)
                code = error.code if isinstance(error, NotPermittedError) else "backend"
                await self._refused(request.name, decision, lease, code, caller)
            raise
        self._issuing.discard(lease.credential_id)
        self.counts["issued"] += 1
        return CredentialResponse(
            lease.credential_id,
            lease.name,
            lease.kind,
            lease.decision_id,
            lease.audience,
            self._recorder.time.text(lease.expires_ms),
            dict(secret.members),
            answers.reference(receipt),
        )

    async def _make(
        self, draft: Draft, lease: Lease, source: Source, order: Order, caller: Identity
    ) -> tuple[Secret, Receipt]:
        """Do steps 2 to 4."""
        draft.fields = self._members(lease)
        try:
            await self._record(draft, lease, caller)
        except SealgateError:
            self._leases.remove(lease.credential_id)  # no backend was asked, nothing exists
            raise
        _require_alive(lease)
        try:
            secret = await self._workers[source.name].make(lambda: source.backend.issue(order))
        except SealgateError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, its text might hold a secret
            _LOG.error("credential `%s` could not be made: %s", lease.name, type(error).__name__)
            raise UnavailableError(f"the source of `{lease.name}` failed", hint="see the authority's log") from None
        _require_alive(lease)
        issued = self._recorder.draft(Kind.CREDENTIAL_ISSUED)
        issued.fields = self._members(lease)
        receipt = await self._record(issued, lease, caller)
        lease.issued = True
        _require_alive(lease)
        return secret, receipt

    def _decision(self, request: CredentialRequest, caller: Identity) -> OpenDecision:
        if (request.permit is None) == (request.decision_id is None):
            raise InputError("name either `permit` or `decision_id`", hint="the token, or the id that came with it")
        if request.permit is not None:
            decision = self._memory.decisions.get(record_id_of(request.permit))
            fits = decision is not None and self._permits.fits(request.permit, decision.agent)
        else:
            decision = self._memory.decisions.get(require_uuid(request.decision_id or "", "decision id"))
            fits = decision is not None
        # One answer for a forged token, a stranger's and an unknown one: nothing to learn by trying.
        if decision is None or not fits or not caller.speaks_for(decision.agent):
            raise NotPermittedError("there is no such permit", code="permit-unknown", hint="ask for a new decision")
        return decision

    def _allowed(self, request: CredentialRequest, decision: OpenDecision) -> Source:
        if decision.agent in self._memory.paused:
            raise NotPermittedError(f"agent `{decision.agent}` is paused", code="agent-paused", hint="nothing may run")
        if decision.state not in (State.PERMITTED, State.REDEEMED):
            raise NotPermittedError("the permit is over", code="permit-expired", hint="ask for a new decision")
        source = self._sources.get(request.name)
        if source is None:
            hint = "`[[credential]]` in the configuration names them"
            raise NotPermittedError(f"no credential `{request.name}`", code="credential-unknown", hint=hint)
        if request.name not in decision.credentials and decision.tool not in source.tools:
            hint = f'write @obligation("credential:{request.name}") on the policy, or map the tool to it'
            raise NotPermittedError(
                f"this permit does not carry the credential `{request.name}`", code="credential-not-allowed", hint=hint
            )
        if any(lease.name == request.name for lease in self._leases.of_decision(decision.record_id)):
            hint = "use the one that was handed out; it ends with the outcome"
            raise NotPermittedError("this permit has that credential already", code="credential-live", hint=hint)
        if request.confirmation is not None and source.backend.kind != "jwt":
            raise NotPermittedError("this credential cannot be bound to a key", code="credential-not-allowed")
        return source

    def _expiry(self, source: Source, decision: OpenDecision) -> int:
        now_ms = self._recorder.time.now_ms()
        expires_ms = min(now_ms + source.lifetime_ms, decision.expires_ms)
        if expires_ms - now_ms < _LEAST_LIFE_MS:
            raise NotPermittedError("the permit expired", code="permit-expired", hint="ask for a new decision")
        return expires_ms // 1000 * 1000  # what tokens and databases can say; never later than allowed

    # End

    def decision_ended(self, decision_id: str, cause: Cause) -> None:
        """End what serves a decision whose outcome is known, or whose time is over."""
        leases = self._leases.of_decision(decision_id)
        if leases:
            self._end_all(leases, cause)

    async def revoke_task(self, task_id: str) -> None:
        """Begin to end what serves a task that has ended; what fails is tried again."""
        self._end_all((lease for lease in self._leases if lease.task_id == task_id), "task_ended")

    def revoke_agent(self, agent: str) -> int:
        """End what an agent holds that was paused; return how many. New ones are refused while it is paused."""
        return self._end_all((lease for lease in self._leases if lease.agent == agent), "agent_paused")

    async def revoke(self, credential_id: str, caller: Identity) -> CredentialRevocation:
        """End one credential and say how it went; waits a few seconds at most.

        Raises:
            NotPermittedError: there is none that may be alive, or it is not the caller's to end.
        """
        lease = self._leases.get(require_uuid(credential_id, "credential id"))
        if lease is None or not ("operate" in caller.roles or caller.speaks_for(lease.agent)):
            hint = "`sealgate credential list` shows what is alive"
            raise NotPermittedError("no such credential is alive", code="credential-unknown", hint=hint)
        self._end_all([lease], "operator", caller)
        ending = self._endings.get(lease.credential_id)
        if ending is not None:
            await asyncio.wait({ending}, timeout=_WAIT_S)
        if self._leases.get(lease.credential_id) is not None:
            return CredentialRevocation(credential_id, "pending")
        return CredentialRevocation(credential_id, "left_to_expire" if lease.problem else "revoked")

    def _end_all(self, leases: Iterable[Lease | None], cause: Cause, caller: Identity = _INTERNAL) -> int:
        ended = 0
        for lease in leases:
            if lease is not None and self._leases.condemn(lease, cause):
                ended += 1
                if lease.credential_id not in self._issuing:  # else it ends as soon as its making is over
                    self._start_ending(lease, caller)
        return ended

    def _start_ending(self, lease: Lease, caller: Identity) -> None:
        if lease.credential_id not in self._endings:
            task = asyncio.ensure_future(self._ending(lease, caller))
            self._endings[lease.credential_id] = task
            task.add_done_callback(lambda _: self._endings.pop(lease.credential_id, None))

    async def _ending(self, lease: Lease, caller: Identity) -> None:
        """Try until the backend has ended it and that is recorded."""
        pause_s, result = _FIRST_PAUSE_S, None
        while True:
            lease.attempts += 1
            try:
                result = result or await self._end_at_backend(lease)
                await self._revoked(lease, result, caller)
            except SealgateError as error:
                await self._failed(lease, error.message, caller)
            except Exception as error:  # noqa: BLE001  # whatever an adapter ran into, the credential must still end
                await self._failed(lease, f"failed with {type(error).__name__}", caller)
            else:
                self.counts[result] += 1
                lease.problem = "it cannot be ended before its expiry" if result == "left_to_expire" else None
                self._leases.remove(lease.credential_id)
                return
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _end_at_backend(self, lease: Lease) -> Result:
        source = self._sources.get(lease.name)
        if source is None or source.backend.kind != lease.kind:
            if self._recorder.time.now_ms() < lease.expires_ms:
                raise UnavailableError(f"no `{lease.kind}` credential `{lease.name}` is configured any more")
            return "left_to_expire"
        ended = Ended(lease.credential_id, lease.issued, lease.expires_ms)
        return await self._workers[lease.name].end(lambda: source.backend.revoke(ended))

    async def _failed(self, lease: Lease, problem: str, caller: Identity) -> None:
        first = lease.problem is None
        lease.problem = problem
        self.counts["failures"] += 1
        _LOG.warning("credential %s (%s) cannot be revoked yet: %s", lease.credential_id, lease.name, problem)
        if first:  # so that a crash does not forget that it has to end
            try:
                await self._revoked(lease, "failing", caller)
            except SealgateError as error:
                _LOG.warning("and that could not be recorded: %s", error.message)

    async def _revoked(self, lease: Lease, result: str, caller: Identity) -> None:
        draft = self._recorder.draft(Kind.CREDENTIAL_REVOKED)
        draft.fields = {
            "credential_id": lease.credential_id,
            "name": lease.name,
            "credential_kind": lease.kind,
            "decision_id": lease.decision_id or None,
            "cause": lease.cause,
            "result": result,
            "attempts": lease.attempts,
            "expires_at": self._recorder.time.text(lease.expires_ms),
        }
        await self._record(draft, lease, caller)

    # Life

    def start(self) -> None:
        """After a replay: end what a crash left half made, and what is due; the rest goes on."""
        for lease in self._leases:
            decision = self._memory.decisions.get(lease.decision_id)
            if lease.cause is not None:
                self._start_ending(lease, _INTERNAL)
            elif not lease.issued:
                self._end_all([lease], "restart")
            elif lease.agent in self._memory.paused:
                self._end_all([lease], "agent_paused")
            elif decision is None or decision.state not in (State.PERMITTED, State.REDEEMED):
                self._end_all([lease], "outcome")

    def sweep(self) -> None:
        """End what is older than it may be; now and then look for what exists at a backend and in no record."""
        now_ms = self._recorder.time.last_ms
        if len(self._leases) or self._leases.revoked:
            now_ms = self._recorder.time.now_ms()
            self._end_all((lease for lease in self._leases if lease.expires_ms <= now_ms), "expired")
            self._leases.forget_expired(now_ms)
        now_s = self._recorder.time.monotonic_s()
        if self._sources and now_s >= self._next_reconcile_s and self._reconciling is None:
            self._next_reconcile_s = now_s + _RECONCILE_S
            self._reconciling = asyncio.ensure_future(self.reconcile())
            self._reconciling.add_done_callback(self._reconciled)

    def _reconciled(self, done: "asyncio.Future[None]") -> None:
        self._reconciling = None
        if not done.cancelled() and done.exception() is not None:
            _LOG.warning("looking for stray credentials failed: %s", done.exception())

    async def reconcile(self) -> None:
        """End whatever a backend has of ours that no lease knows: made late, or known only to a lost journal tail."""
        for source in self._sources.values():
            known = {lease.credential_id for lease in self._leases}  # one that ends while they are listed is no stray
            try:
                found = await self._workers[source.name].end(source.backend.live)
            except SealgateError as error:
                _LOG.warning("credentials of `%s` cannot be listed: %s", source.name, error.message)
                continue
            for credential_id in found or ():
                if credential_id in known or self._leases.get(credential_id) is not None:
                    continue
                _LOG.warning("credential %s of `%s` is in no lease: it is revoked", credential_id, source.name)
                lease = Lease(
                    credential_id, source.name, source.backend.kind, "", "", None, None, "", self._recorder.time.last_ms
                )
                self._leases.add(lease)
                self._end_all([lease], "restart")

    def problem(self) -> str | None:
        """Return what is wrong with revocations, in one line, or None."""
        failing = [lease for lease in self._leases if lease.problem is not None]
        if not failing:
            return None
        return f"{len(failing)} cannot be revoked, first {failing[0].credential_id}: {failing[0].problem}"

    def metrics(self) -> dict[str, float]:
        """Return counters and gauges by Prometheus name."""
        counters = {f"sealgate_credentials_{name}_total": float(count) for name, count in self.counts.items()}
        failing = sum(lease.problem is not None for lease in self._leases)
        return {
            **counters,
            "sealgate_credentials_live": float(len(self._leases)),
            "sealgate_credentials_revocations_failing": float(failing),
        }

    def all(self) -> list[CredentialView]:
        """Return what may be alive, oldest first; never a secret."""
        text = self._recorder.time.text
        return [
            CredentialView(
                lease.credential_id,
                lease.name,
                lease.kind,
                lease.agent,
                lease.decision_id,
                lease.task_id,
                lease.audience,
                text(lease.expires_ms),
                "revoking" if lease.cause is not None else "live" if lease.issued else "issuing",
                lease.attempts,
                lease.problem,
            )
            for lease in self._leases
        ]

    def revoked_tokens(self) -> RevokedTokens:
        """Return what is not to be accepted although it has not expired; a token is here as soon as it has to end."""
        tokens = [RevokedToken(name, expires_ms // 1000) for name, expires_ms in sorted(self._leases.revoked.items())]
        return RevokedTokens(self._recorder.time.last_ms // 1000, tokens)

    async def stop(self) -> None:
        """Stop trying; what is unfinished is in the journal and the next start goes on."""
        tasks = [*self._endings.values(), *([self._reconciling] if self._reconciling else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for workers in self._workers.values():
            workers.close()
        for source in self._sources.values():
            source.backend.close()

    # Records

    async def _refused(
        self, name: str, decision: OpenDecision | None, lease: Lease | None, code: str, caller: Identity
    ) -> None:
        self.counts["refused"] += 1
        draft = self._recorder.draft(Kind.CREDENTIAL_REFUSED)
        draft.fields = {
            "credential_id": lease.credential_id if lease else None,
            "name": name,
            "decision_id": decision.record_id if decision else None,
            "refusal": code,
        }
        agent = answers.agent(decision.agent if decision else caller.principal, caller, [])
        receipt = await self._recorder.record(draft, agent=agent, task_id=decision.task_id if decision else None)
        self._memory.cursor = max(self._memory.cursor, receipt.index + 1)

    def _members(self, lease: Lease) -> dict[str, Any]:
        return {
            "credential_id": lease.credential_id,
            "name": lease.name,
            "credential_kind": lease.kind,
            "decision_id": lease.decision_id,
            "audience": lease.audience,
            "scope_digest": lease.scope_digest,
            "expires_at": self._recorder.time.text(lease.expires_ms),
        }

    async def _record(self, draft: Draft, lease: Lease, caller: Identity) -> Receipt:
        agent = answers.agent(lease.agent or caller.principal, caller, [])
        receipt = await self._recorder.record(draft, agent=agent, task_id=lease.task_id)
        self._memory.cursor = max(self._memory.cursor, receipt.index + 1)
        return receipt


def _require_alive(lease: Lease) -> None:
    if lease.cause is not None:
        code = "agent-paused" if lease.cause == "agent_paused" else "permit-expired"
        raise NotPermittedError(f"the permit ended meanwhile: {lease.cause}", code=code, hint="nothing may run")


def _narrowed(request: CredentialRequest, source: Source) -> tuple[str | None, tuple[str, ...]]:
    audiences, scopes = source.backend.audiences, source.backend.scopes
    audience = request.audience if request.audience is not None else next(iter(audiences), None)
    wider = (audience is not None and audience not in audiences) or not set(request.scope) <= set(scopes)
    if wider:
        hint = "ask for what the configuration lists, or for less"
        raise NotPermittedError("this audience or scope is not allowed", code="credential-not-allowed", hint=hint)
    return audience, tuple(request.scope) or scopes


def _check_confirmation(confirmation: Mapping[str, str] | None) -> None:
    if confirmation is None:
        return
    digest = next(iter(confirmation.values()), "")
    if len(confirmation) != 1 or not confirmation.keys() <= _CONFIRMATIONS or len(digest) != 43:
        hint = "one of `jkt` (RFC 7638) and `x5t#S256`, a SHA-256 digest as base64url"
        raise InputError("confirmation is not a key's digest", hint=hint)
