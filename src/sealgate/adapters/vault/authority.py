"""The authority as the vault calls it (ports.vault.AuthorityCalls): records of access, erasures.

The connection is the caller's: a function that sends one request and returns status and body. Only a 2xx answer means
that a record is durable; everything else means that it is not known to be.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from sealgate.model.erasure import Erasure, ErasureRequest
from sealgate.model.errors import InputError, NotPermittedError, UnavailableError
from sealgate.ports.vault import AccessEvent

Send = Callable[[str, str, bytes], tuple[int, bytes]]
"""(method, path, body) → (status, body). Raises UnavailableError when there is no answer."""

_Answer = TypeVar("_Answer")


class _Recorded(msgspec.Struct):
    record_id: str


class _Problem(msgspec.Struct):
    type: str = ""
    detail: str = ""
    hint: str = ""


class AuthorityClient:
    """Calls the authority. May be used from any thread if ``send`` may."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def record(self, event: AccessEvent) -> str:
        """Record a step; return the record's id once it is durable.

        Raises:
            UnavailableError: it is not known to be recorded, for whatever reason: the step must not happen.
        """
        body = msgspec.json.encode({"kind": "access", "data": members(event)})
        try:
            return self._call("POST", "/v1/records", body, _Recorded).record_id
        except (InputError, NotPermittedError) as error:
            hint = "give the vault's identity the role `service`"
            raise UnavailableError(
                f"the authority does not record for the vault: {error.message}", hint=hint
            ) from error

    def erase(self, subject: str, request: ErasureRequest) -> Erasure:
        """Bring an erasure on.

        Raises:
            InputError, NotPermittedError: the authority refuses.
            UnavailableError: it is not known what happened; send the same request again.
        """
        path = f"/v1/subjects/{quote(subject, safe='')}/erasure"
        return self._call("POST", path, msgspec.json.encode(request), Erasure)

    def _call(self, method: str, path: str, body: bytes, kind: type[_Answer]) -> _Answer:
        status, answer = self._send(method, path, body)
        if 200 <= status < 300:
            try:
                return msgspec.json.decode(answer, type=kind)
            except msgspec.DecodeError as error:
                raise UnavailableError("the authority answered something else") from error
        try:
            problem = msgspec.json.decode(answer, type=_Problem)
        except msgspec.DecodeError:
            problem = _Problem()
        message = problem.detail or f"the authority answered {status}"
        if status in {403, 404, 409}:
            raise NotPermittedError(message, code=problem.type.rpartition(":")[2], hint=problem.hint)
        if 400 <= status < 500:
            raise InputError(message, hint=problem.hint)
        raise UnavailableError(message, hint=problem.hint)


def members(event: AccessEvent) -> dict[str, Any]:
    """Return the members of an ``access`` record."""
    caller = event.caller
    return {
        "service": "vault",
        "operation": event.operation,
        "reader": {"principal": caller.principal, "proof": caller.proof, "roles": sorted(caller.roles)},
        "target": event.target,
        "filter": [],
        "outcome": event.outcome,
        "refusal": event.refusal,
        "policies": [],
        "policy_version": None,
        "hidden": [],
        "count": event.count,
        "record_ids": [],
        "digest": None,
        "reason": event.reason,
        "approver": event.approver,
    }
