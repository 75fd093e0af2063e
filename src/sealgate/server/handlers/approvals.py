"""Approvals by people."""

from sealgate.model.approvals import ApprovalAnswer
from sealgate.model.identifiers import require_uuid
from sealgate.server import queries
from sealgate.server.messages import Response

from .area import Area
from .call import Call, encode, typed


class ApprovalHandlers(Area):
    """The handlers of the routing table of this name."""

    async def approvals(self, call: Call) -> Response:
        """Return approvals in some states, ``requested`` by default."""
        states = queries.states(call.request.query)
        return Response(200, encode(self._operations.approvals.list(call.caller, states)))

    async def approval(self, call: Call) -> Response:
        """Return one approval, at once or when it is decided."""
        wait_s = 0.0 if self.stopping else queries.wait_s(call.request.query)
        approval = require_uuid(call.parameters["approval_id"], "approval id")
        return Response(200, encode(await self._operations.approvals.wait(approval, wait_s, call.caller)))

    async def approval_figures(self, call: Call) -> Response:
        """Return the measures of fatigue."""
        del call
        return Response(200, encode(self._operations.approvals.figures()))

    async def grant_approval(self, call: Call) -> Response:
        """Take a yes."""
        return await self._answer(call, grant=True)

    async def refuse_approval(self, call: Call) -> Response:
        """Take a no."""
        return await self._answer(call, grant=False)

    async def _answer(self, call: Call, *, grant: bool) -> Response:
        wanted: ApprovalAnswer = typed(call)
        approval = require_uuid(call.parameters["approval_id"], "approval id")
        step = await self._operations.approvals.answer(approval, call.caller, wanted.reason, grant=grant)
        return Response(200, encode(step))

    async def answer_approvals(self, call: Call) -> Response:
        """Take one answer to several."""
        return Response(200, encode(await self._operations.approvals.answer_batch(typed(call), call.caller)))

    async def answer_by_callback(self, call: Call) -> Response:
        """Take an answer whose signature is the only proof. The signed bytes go on as they came."""
        request = call.request
        return Response(
            200, encode(await self._operations.approvals.answer_callback(request.body, request.authorization))
        )

    async def revoke_approval(self, call: Call) -> Response:
        """Take an approval back."""
        wanted: ApprovalAnswer = typed(call)
        approval = require_uuid(call.parameters["approval_id"], "approval id")
        return Response(200, encode(await self._operations.approvals.revoke(approval, wanted.reason, call.caller)))

    async def request_capability(self, call: Call) -> Response:
        """Ask for a capability."""
        return Response(200, encode(await self._operations.approvals.request_capability(typed(call), call.caller)))
