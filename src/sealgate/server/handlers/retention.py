"""Erasure, legal holds and deletion."""

import msgspec

from sealgate.model.identifiers import require_uuid
from sealgate.server import answers
from sealgate.server.messages import Response

from .area import Area
from .call import Call, empty, encode, typed


class RetentionHandlers(Area):
    """The handlers of the routing table of this name."""

    async def erase(self, call: Call) -> Response:
        """Erase a subject."""
        return Response(200, encode(await self._operations.erase(call.parameters["subject"], typed(call), call.caller)))

    async def erasures(self, call: Call) -> Response:
        """Return the erasures of a subject."""
        return Response(200, encode(self._operations.erasures(call.parameters["subject"])))

    async def holds(self, call: Call) -> Response:
        """Return the legal holds."""
        del call
        return Response(200, encode(answers.Holds(self._operations.holds())))

    async def place_hold(self, call: Call) -> Response:
        """Ask for a hold."""
        wanted: answers.HoldRequest = typed(call)
        selection = msgspec.structs.asdict(wanted.selection)
        return Response(200, encode(await self._operations.place_hold(selection, wanted.reason, call.caller)))

    async def confirm_hold(self, call: Call) -> Response:
        """Confirm a step of a hold."""
        empty(call)
        hold = require_uuid(call.parameters["id"], "hold id")
        return Response(200, encode(await self._operations.confirm_hold(hold, call.caller)))

    async def release_hold(self, call: Call) -> Response:
        """Ask for a hold's release."""
        wanted: answers.ReleaseRequest = typed(call)
        hold = require_uuid(call.parameters["id"], "hold id")
        return Response(200, encode(await self._operations.release_hold(hold, wanted.reason, call.caller)))

    async def plan_retention(self, call: Call) -> Response:
        """Return what a run would delete."""
        del call
        return Response(200, encode(await self._operations.plan_retention()))

    async def compact_journal(self, call: Call) -> Response:
        """Archive closed segments."""
        empty(call)
        return Response(200, encode(await self._operations.compact_journal(call.caller)))

    async def run_retention(self, call: Call) -> Response:
        """Delete what is due."""
        empty(call)
        return Response(200, encode(await self._operations.run_retention(call.caller)))
