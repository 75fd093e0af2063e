"""Who may have a credential, for how long, and how narrow; each refusal has a code. Nothing here changes anything."""

from collections.abc import Callable, Mapping
from typing import Final

from sealgate.authority.credential_sources import Source
from sealgate.authority.permits import OpenDecision, PermitMac, record_id_of
from sealgate.authority.state import Memory
from sealgate.model.credentials import Cause, CredentialRequest, Lease
from sealgate.model.errors import InputError, NotPermittedError
from sealgate.model.evaluation import Identity
from sealgate.model.identifiers import require_uuid
from sealgate.model.lifecycle import State

_LEAST_LIFE_MS: Final = 1000
_CONFIRMATIONS: Final = frozenset({"jkt", "x5t#S256"})
_CODES: Final[Mapping[str, str]] = {
    "agent_paused": "agent-paused",
    "task_ended": "task-ended",
    "delegation_ended": "delegation-ended",
}

Lapsed = Callable[[OpenDecision, int], Cause | None]
"""Says why a permit serves nothing any more although its own time is not over: its task or its delegation is."""


class Rules:
    """Judges requests for credentials."""

    def __init__(self, *, memory: Memory, permits: PermitMac, sources: Mapping[str, Source], lapsed: Lapsed) -> None:
        self._memory = memory
        self._permits = permits
        self._sources = sources
        self._lapsed = lapsed

    def decision(self, request: CredentialRequest, caller: Identity) -> OpenDecision:
        """Return the open decision that the caller names; refuse alike what is forged, a stranger's or unknown."""
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

    def source(self, request: CredentialRequest, decision: OpenDecision, now_ms: int) -> Source:
        """Return where the credential comes from, if this decision carries it and may have it now."""
        if decision.agent in self._memory.paused:
            raise NotPermittedError(f"agent `{decision.agent}` is paused", code="agent-paused", hint="nothing may run")
        if decision.state not in (State.PERMITTED, State.REDEEMED):
            raise NotPermittedError("the permit is over", code="permit-expired", hint="ask for a new decision")
        require_in_force(self._lapsed(decision, now_ms))
        source = self._sources.get(request.name)
        if source is None:
            hint = "`[[credential]]` in the configuration names them"
            raise NotPermittedError(f"no credential `{request.name}`", code="credential-unknown", hint=hint)
        if request.name not in decision.credentials and decision.tool not in source.tools:
            hint = f'write @obligation("credential:{request.name}") on the policy, or map the tool to it'
            raise NotPermittedError(
                f"this permit does not carry the credential `{request.name}`", code="credential-not-allowed", hint=hint
            )
        if any(lease.name == request.name for lease in self._memory.leases.of_decision(decision.record_id)):
            hint = "use the one that was handed out; it ends with the outcome"
            raise NotPermittedError("this permit has that credential already", code="credential-live", hint=hint)
        if request.confirmation is not None and source.backend.kind != "jwt":
            raise NotPermittedError("this credential cannot be bound to a key", code="credential-not-allowed")
        return source


def expiry(source: Source, decision: OpenDecision, now_ms: int) -> int:
    """Return when it ends by itself, in Unix milliseconds: never after its permit."""
    expires_ms = min(now_ms + source.lifetime_ms, decision.expires_ms)
    if expires_ms - now_ms < _LEAST_LIFE_MS:
        raise NotPermittedError("the permit expired", code="permit-expired", hint="ask for a new decision")
    return expires_ms // 1000 * 1000  # what tokens and databases can say; never later than allowed


def require_alive(lease: Lease) -> None:
    """Refuse what had to end while it was being made."""
    require_in_force(lease.cause)


def require_in_force(cause: Cause | None) -> None:
    """Refuse where there is a reason to end."""
    if cause is not None:
        code = _CODES.get(cause, "permit-expired")
        raise NotPermittedError(f"the permit ended meanwhile: {cause}", code=code, hint="nothing may run")


def narrowed(request: CredentialRequest, source: Source) -> tuple[str | None, tuple[str, ...]]:
    """Return audience and scope as asked for, if they are no wider than the configuration."""
    audiences, scopes = source.backend.audiences, source.backend.scopes
    audience = request.audience if request.audience is not None else next(iter(audiences), None)
    wider = (audience is not None and audience not in audiences) or not set(request.scope) <= set(scopes)
    if wider:
        hint = "ask for what the configuration lists, or for less"
        raise NotPermittedError("this audience or scope is not allowed", code="credential-not-allowed", hint=hint)
    return audience, tuple(request.scope) or scopes


def check_confirmation(confirmation: Mapping[str, str] | None) -> None:
    """Refuse what is not one key's digest."""
    if confirmation is None:
        return
    digest = next(iter(confirmation.values()), "")
    if len(confirmation) != 1 or not confirmation.keys() <= _CONFIRMATIONS or len(digest) != 43:
        hint = "one of `jkt` (RFC 7638) and `x5t#S256`, a SHA-256 digest as base64url"
        raise InputError("confirmation is not a key's digest", hint=hint)
