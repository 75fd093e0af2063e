"""Grants and revokes reading roles. Each is a record first; nobody grants to themselves.

The grants in force are a projection of the journal. Only callers with the role `administer` come here, so no other
service of the installation can give itself a role.
"""

from typing import Any

import msgspec

from sealgate.authority import answers
from sealgate.authority.recorder import Recorder
from sealgate.authority.state import Memory
from sealgate.model import grants
from sealgate.model.errors import InputError, NotPermittedError
from sealgate.model.evaluation import Identity, Recorded
from sealgate.model.grants import Grant, GrantRequest
from sealgate.model.identifiers import require_name
from sealgate.model.records import Kind

MAX_GRANTS = 10_000


class Roles:
    """The reading roles that were granted. One event loop owns it."""

    def __init__(self, *, memory: Memory, recorder: Recorder) -> None:
        self._memory = memory
        self._recorder = recorder

    def all(self) -> list[Grant]:
        """Return all grants that were not revoked and are not over, oldest first."""
        now = self._recorder.time.last_ms
        return [
            grant
            for grant in self._memory.grants.values()
            if grant.valid_until is None or grants.unix_ms(grant.valid_until) > now
        ]

    async def grant(self, request: GrantRequest, caller: Identity) -> Recorded:
        """Grant a role, once that is on stable storage. The grant's id is its record's.

        Raises:
            InputError: the grant means nothing, or there are too many.
            NotPermittedError: the caller would grant to itself.
            UnavailableError: it could not be recorded; nothing is granted.
        """
        grants.check(request)
        require_name(request.reason, "reason")
        if request.principal == caller.principal:
            raise NotPermittedError("nobody grants a role to themselves", hint="ask another administrator")
        if len(self._memory.grants) >= MAX_GRANTS:
            raise InputError(f"there are {MAX_GRANTS} grants", hint="revoke those that are over")
        draft = self._recorder.draft(Kind.ROLE_GRANTED)
        grant = Grant(
            grant_id=draft.record_id,
            granted_by=caller.principal,
            **{name: getattr(request, name) for name in GrantRequest.__struct_fields__ if name != "request_id"},
        )
        draft.fields = msgspec.to_builtins(grant)
        recorded = await self._record(draft, caller)
        self._memory.grants[grant.grant_id] = grant
        return recorded

    async def revoke(self, grant_id: str, reason: str, caller: Identity) -> Recorded:
        """Take a grant back, once that is on stable storage.

        Raises:
            NotPermittedError: there is no such grant.
            UnavailableError: it could not be recorded; the grant stays. Send it again.
        """
        grant = self._memory.grants.get(grant_id)
        if grant is None:
            raise NotPermittedError("there is no such grant", code="grant-unknown", hint="`sealgate role list`")
        require_name(reason, "reason")
        draft = self._recorder.draft(Kind.ROLE_REVOKED)
        draft.fields = {
            "grant_id": grant_id,
            "principal": grant.principal,
            "role": grant.role,
            "revoked_by": caller.principal,
            "reason": reason,
        }
        recorded = await self._record(draft, caller)
        self._memory.grants.pop(grant_id, None)
        return recorded

    async def _record(self, draft: Any, caller: Identity) -> Recorded:
        receipt = await self._recorder.record(draft, agent=answers.agent(caller.principal, caller, []))
        self._memory.cursor = max(self._memory.cursor, receipt.index + 1)
        return Recorded(receipt.record_id, answers.reference(receipt))
