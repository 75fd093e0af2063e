"""What each route of the evidence service does."""

from typing import Any, Final

import msgspec

from sealgate.access.desk import Asked
from sealgate.access.service import EvidenceService
from sealgate.model.errors import InputError, UnavailableError
from sealgate.model.identifiers import require_uuid
from sealgate.server import metrics
from sealgate.server.decoding import decode
from sealgate.server.handlers import Call
from sealgate.server.messages import Response

from . import messages

_encode: Final = msgspec.json.Encoder().encode
_OCTETS: Final = b"application/octet-stream"
_NOTHING: Final = messages.Why()


class Handlers:
    """The handlers over one evidence service."""

    def __init__(self, service: EvidenceService, counts: metrics.Metrics, openapi: bytes) -> None:
        self._service = service
        self._desk = service.desk
        self._counts = counts
        self._openapi = openapi
        self.stopping = False

    async def trace(self, call: Call) -> Response:
        """Return a decision chain."""
        return await self._trace(call, _NOTHING)

    async def trace_with_reason(self, call: Call) -> Response:
        """Return a decision chain."""
        return await self._trace(call, _typed(call))

    async def _trace(self, call: Call, why: messages.Why) -> Response:
        found = await self._desk.trace(call.parameters["trace_id"], self._asked(call, why))
        return Response(200, _encode(messages.TraceAnswer(*found)))

    async def search(self, call: Call) -> Response:
        """Return a page."""
        wanted: messages.SearchRequest = _typed(call)
        found = await self._desk.search(
            wanted.filter, self._asked(call, wanted), after=wanted.after, limit=wanted.limit
        )
        return Response(200, _encode(messages.SearchAnswer(*found)))

    async def aggregate(self, call: Call) -> Response:
        """Return a table."""
        wanted: messages.AggregateRequest = _typed(call)
        found = await self._desk.aggregate(
            wanted.filter,
            self._asked(call, wanted),
            group_by=tuple(wanted.group_by),
            measure=wanted.measure,
            limit=wanted.limit,
        )
        return Response(200, _encode(messages.AggregateAnswer(*found)))

    async def explain(self, call: Call) -> Response:
        """Explain a record."""
        return await self._explain(call, _NOTHING)

    async def explain_with_reason(self, call: Call) -> Response:
        """Explain a record."""
        return await self._explain(call, _typed(call))

    async def _explain(self, call: Call, why: messages.Why) -> Response:
        record_id = require_uuid(call.parameters["record_id"], "record id")
        found = await self._desk.explain(record_id, self._asked(call, why))
        return Response(200, _encode(messages.ExplainAnswer(*found)))

    async def export(self, call: Call) -> Response:
        """Make an export."""
        wanted: messages.ExportRequest = _typed(call)
        found = await self._service.exports.make(wanted.filter, wanted.format, self._asked(call, wanted))
        return Response(200, _encode(messages.ExportAnswer(*found)))

    async def export_part(self, call: Call) -> Response:
        """Return a part of an export."""
        part = call.parameters["part"]
        if not part.isascii() or not part.isdigit() or len(part) > 7:
            raise InputError("a part is a number", hint="the export's answer says how many there are")
        content = await self._service.exports.fetch(call.parameters["export_id"], int(part), call.caller)
        return Response(200, content, _OCTETS)

    async def status(self, call: Call) -> Response:
        """Tell how far the store follows."""
        found = await self._desk.status(self._asked(call, _NOTHING))
        return Response(200, _encode(messages.StatusAnswer(*found)))

    def _asked(self, call: Call, why: messages.Why) -> Asked:
        if self.stopping:
            raise UnavailableError("the evidence service is stopping", hint="ask again shortly")
        return Asked(caller=call.caller, reason=why.reason, role=why.role)

    async def health(self, call: Call) -> Response:
        """Say that the process answers."""
        del call
        return Response(200, b'{"status":"ok"}')

    async def ready(self, call: Call) -> Response:
        """Say whether reads can be answered and recorded, or why not."""
        del call
        state = await self._service.readiness()
        if self.stopping:
            state = {"ready": False, "checks": {**state["checks"], "server": "stopping"}}
        return Response(200 if state["ready"] else 503, _encode(state))

    async def metrics(self, call: Call) -> Response:
        """Return the figures."""
        del call
        return Response(200, self._counts.exposition(self._service.metrics()), metrics.CONTENT_TYPE)

    async def document(self, call: Call) -> Response:
        """Return the OpenAPI document."""
        del call
        return Response(200, self._openapi)


def _typed(call: Call) -> Any:
    return decode(call.request.body, call.route.takes, max_bytes=call.route.max_bytes)
