"""The authority as the evidence service needs it (ports.reading.AccessLog), over its Unix socket or HTTPS."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sealgate.adapters.authorities.http import HttpAuthority
from sealgate.model.errors import UnavailableError
from sealgate.model.grants import Grant, Grants

_encode: Final = msgspec.json.Encoder().encode


class _Recorded(msgspec.Struct):
    record_id: str


class AuthorityAccessLog:
    """Records accesses and asks for granted roles. Owned by one event loop."""

    def __init__(self, authority: HttpAuthority) -> None:
        self._authority = authority

    async def record(self, access: Mapping[str, Any], request_id: str) -> str:
        """Return the id of the access record, which is on stable storage.

        Raises:
            UnavailableError: it is not known to be recorded.
        """
        body = _encode({"kind": "access", "data": access, "request_id": request_id})
        status, answer = await self._authority.exchange("POST /v1/records", body)
        if status != 200:
            raise UnavailableError(f"the authority did not record it: {_detail(status, answer)}")
        try:
            return msgspec.json.decode(answer, type=_Recorded).record_id
        except msgspec.DecodeError as error:
            raise UnavailableError("the authority's answer cannot be read") from error

    async def grants(self) -> list[Grant]:
        """Return the roles that are granted now.

        Raises:
            UnavailableError: the authority does not tell.
        """
        status, answer = await self._authority.exchange("GET /v1/roles/grants", b"")
        if status != 200:
            raise UnavailableError(f"the authority does not tell who may read: {_detail(status, answer)}")
        try:
            return msgspec.json.decode(answer, type=Grants).grants
        except msgspec.DecodeError as error:
            raise UnavailableError("the authority's answer cannot be read") from error

    async def ready(self) -> str:
        """Return "ok" when the authority answers, or why that cannot be said."""
        try:
            return await self._authority.ready()
        except UnavailableError as error:
            return error.message

    async def close(self) -> None:
        """Close the kept connections."""
        await self._authority.close()


def _detail(status: int, answer: bytes) -> str:
    try:
        detail = msgspec.json.decode(answer).get("detail", "")
    except (msgspec.DecodeError, AttributeError):
        detail = ""
    return str(detail)[:200] or f"it answers {status}"
