"""Receipts and the public log."""

import re
from typing import Any, Final

from sealgate.model.errors import NotProvenError
from sealgate.model.identifiers import require_uuid
from sealgate.server import problems
from sealgate.server.messages import TEXT, Response

from .area import Area
from .call import Call, encode

_TILE: Final = re.compile(
    r"(?:(?:[0-9]|[1-5][0-9]|6[0-3])|entries)/(?:x[0-9]{3}/){0,6}[0-9]{3}(?:\.p/(?:[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?",
    re.ASCII,
)
"""C2SP tlog-tiles: level, number in groups of three digits, width of a partial tile."""

_COSE: Final = b"application/cose"
_OCTETS: Final = b"application/octet-stream"


class LogHandlers(Area):
    """The handlers of the routing table of this name."""

    async def receipt(self, call: Call) -> Response:
        """Return the newest receipt."""
        return Response(200, encode(self._receipt(call)))

    async def tlog_proof(self, call: Call) -> Response:
        """Return the receipt as tlog-proof."""
        proof = self._receipt(call).get("tlog_proof")
        if proof is None:
            raise NotProvenError("the record is not in a checkpoint yet", hint="ask again after the next checkpoint")
        return Response(200, str(proof).encode(), TEXT)

    async def transparent_statement(self, call: Call) -> Response:
        """Return the receipt as transparent statement."""
        return Response(200, self._operations.transparent_statement(_record_id(call), call.caller), _COSE)

    def _receipt(self, call: Call) -> dict[str, Any]:
        return self._operations.receipt(_record_id(call), call.caller)

    async def checkpoint(self, call: Call) -> Response:
        """Return the signed head of the log."""
        return self._public(call, "checkpoint", TEXT, b"no-cache")

    async def tile(self, call: Call) -> Response:
        """Return a tile; tiles never change, so they may be kept for ever."""
        name = call.parameters["tile"]
        if not _TILE.fullmatch(name):
            return problems.answer(problems.problem(problems.NOT_FOUND, "no tile can have this name"))
        return self._public(call, f"tile/{name}", _OCTETS, b"public, max-age=31536000, immutable")

    def _public(self, call: Call, name: str, content_type: bytes, cache: bytes) -> Response:
        content = self._operations.public_file(name)
        if content is None:
            detail = f"the log has no `{call.route.path.rpartition('/')[2]}` of this name yet"
            return problems.answer(problems.problem(problems.NOT_FOUND, detail, hint="ask again after a checkpoint"))
        return Response(200, content, content_type, [(b"cache-control", cache)])


def _record_id(call: Call) -> str:
    return require_uuid(call.parameters["record_id"], "record id")
