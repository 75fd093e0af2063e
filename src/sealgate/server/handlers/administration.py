"""Agents, policies, roles and keys."""

from sealgate.encoding import canonical
from sealgate.model.errors import InputError, NotPermittedError
from sealgate.model.grants import Grants, RevokeRequest
from sealgate.model.identifiers import require_name, require_uuid
from sealgate.server import answers
from sealgate.server.messages import Response

from .area import Area
from .call import Call, empty, encode, typed


class AdministrationHandlers(Area):
    """The handlers of the routing table of this name."""

    async def agents(self, call: Call) -> Response:
        """Return the known agents."""
        del call
        return Response(200, encode(answers.Agents(self._operations.agents())))

    async def pause(self, call: Call) -> Response:
        """Pause an agent."""
        agent = require_name(call.parameters["id"], "agent")
        wanted: answers.PauseRequest = typed(call)
        return Response(200, encode(await self._operations.pause(agent, wanted.reason, call.caller)))

    async def resume(self, call: Call) -> Response:
        """Lift a pause."""
        empty(call)
        agent = require_name(call.parameters["id"], "agent")
        return Response(200, encode(await self._operations.resume(agent, call.caller)))

    async def publish_policy(self, call: Call) -> Response:
        """Publish a bundle. Its bytes go on as they came: their digest is the policy version."""
        bundle = canonical.parse(call.request.body, max_bytes=call.route.max_bytes, max_depth=64)
        if not isinstance(bundle, dict):
            raise InputError("the bundle is not an object", hint="send the bundle that `sealgate policy` made")
        return Response(200, encode(await self._operations.publish_policy(call.request.body, call.caller)))

    async def pending_policy(self, call: Call) -> Response:
        """Return the policy set that waits for approval."""
        del call
        waiting = self._operations.pending_policy()
        if waiting is None:
            raise NotPermittedError("no policy set waits for approval", code="policy-unknown")
        return Response(200, encode(waiting))

    async def approve_policy(self, call: Call) -> Response:
        """Put a proposed policy set in force."""
        empty(call)
        return Response(200, encode(await self._operations.approve_policy(call.parameters["digest"], call.caller)))

    async def grants(self, call: Call) -> Response:
        """Return the granted roles."""
        del call
        return Response(200, encode(Grants(self._operations.grants())))

    async def grant_role(self, call: Call) -> Response:
        """Grant a role."""
        return Response(200, encode(await self._operations.grant_role(typed(call), call.caller)))

    async def revoke_role(self, call: Call) -> Response:
        """Take a grant back."""
        grant_id = require_uuid(call.parameters["grant_id"], "grant id")
        wanted: RevokeRequest = typed(call)
        return Response(200, encode(await self._operations.revoke_role(grant_id, wanted.reason, call.caller)))

    async def current_policy(self, call: Call) -> Response:
        """Return the policy set in force."""
        del call
        policy = self._operations.current_policy()
        if policy is None:
            raise NotPermittedError("no policy set is published", code="policy-unknown", hint="publish one first")
        return Response(200, encode(policy))

    async def rotate_key(self, call: Call) -> Response:
        """Start a new signing key."""
        empty(call)
        return Response(200, encode(await self._operations.rotate_key(call.caller)))
