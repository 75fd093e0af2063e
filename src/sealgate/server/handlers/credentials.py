"""Short-lived credentials."""

from typing import Final

from sealgate.model.credentials import Credentials
from sealgate.model.identifiers import require_uuid
from sealgate.server.messages import Response

from .area import Area
from .call import Call, empty, encode, typed

_NOT_STORED: Final = (b"Cache-Control", b"no-store")


class CredentialHandlers(Area):
    """The handlers of the routing table of this name."""

    async def issue_credential(self, call: Call) -> Response:
        """Hand out a credential. Its secret is in this answer and nowhere else."""
        given = await self._operations.issue_credential(typed(call), call.caller)
        return Response(200, encode(given), headers=[_NOT_STORED])

    async def credentials(self, call: Call) -> Response:
        """List live credentials."""
        del call
        return Response(200, encode(Credentials(self._operations.credentials())))

    async def revoke_credential(self, call: Call) -> Response:
        """End a credential."""
        empty(call)
        credential = require_uuid(call.parameters["id"], "credential id")
        return Response(200, encode(await self._operations.revoke_credential(credential, call.caller)))

    async def revoked_tokens(self, call: Call) -> Response:
        """List revoked tokens."""
        del call
        return Response(200, encode(self._operations.revoked_tokens()), headers=[_NOT_STORED])

    async def token_keys(self, call: Call) -> Response:
        """Return the key set for tokens."""
        del call
        return Response(200, encode(self._operations.token_keys()))
