"""Tasks of agents, and on whose behalf they act."""

from sealgate.model.delegations import DelegationRevoke, Delegations
from sealgate.model.identifiers import require_name, require_uuid
from sealgate.model.tasks import OpenTasks
from sealgate.server.messages import Response

from .area import Area
from .call import Call, encode, typed


class TaskHandlers(Area):
    """The handlers of the routing table of this name."""

    async def start_task(self, call: Call) -> Response:
        """Start a task."""
        return Response(200, encode(await self._operations.start_task(typed(call), call.caller)))

    async def end_task(self, call: Call) -> Response:
        """End a task."""
        task = require_name(call.parameters["id"], "task id")
        reason = typed(call).reason if call.request.body else ""
        return Response(200, encode(await self._operations.end_task(task, reason, call.caller)))

    async def tasks(self, call: Call) -> Response:
        """Return the open tasks."""
        return Response(200, encode(OpenTasks(self._operations.tasks(call.caller))))

    async def grant_delegation(self, call: Call) -> Response:
        """Grant a delegation."""
        return Response(200, encode(await self._operations.grant_delegation(typed(call), call.caller)))

    async def revoke_delegation(self, call: Call) -> Response:
        """Take a delegation back."""
        delegation = require_uuid(call.parameters["id"], "delegation id")
        wanted: DelegationRevoke = typed(call)
        done = await self._operations.revoke_delegation(delegation, wanted.reason, call.caller)
        return Response(200, encode(done))

    async def delegations(self, call: Call) -> Response:
        """Return the delegations."""
        return Response(200, encode(Delegations(self._operations.delegations(call.caller))))
