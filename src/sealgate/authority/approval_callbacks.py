"""Answers that come back signed: a chat bot or a ticket system says what a person decided there.

The signature is the only proof, so the key holder is believed for exactly the persons that the configuration names, who
also need the role. The signed text is ``v1.<timestamp>.<nonce>.<body>``, HMAC-SHA256, in an ``Authorization`` header::

    SealgateHmac t=<unix seconds>,n=<nonce>,v1=<hex>

Comparison takes constant time. A timestamp counts for five minutes and a nonce once; after a restart the nonces are
forgotten, but not the answers: nobody answers an approval twice.
"""

import hmac
import re
from collections.abc import Callable
from typing import Final

import msgspec

from sealgate.authority.approvals import Approvals
from sealgate.encoding import canonical
from sealgate.encoding.callback_signature import signature
from sealgate.model.approvals import ApprovalStep, CallbackAnswer
from sealgate.model.errors import InputError, NotPermittedError, SealgateError
from sealgate.model.evaluation import Identity
from sealgate.model.identifiers import require_uuid

WINDOW_S: Final = 300
MAX_NONCES: Final = 100_000
SCHEME: Final = "SealgateHmac"
_HEADER: Final = re.compile(rb"SealgateHmac t=([0-9]{1,12}),n=([A-Za-z0-9_\-]{16,64}),v1=([0-9a-f]{64})", re.ASCII)


class Callbacks:
    """Checks signed answers and hands them on. One event loop owns it."""

    def __init__(
        self, approvals: Approvals, key: bytes | None, principals: frozenset[str], now_s: Callable[[], int]
    ) -> None:
        self._approvals = approvals
        self._key = key
        self._principals = principals
        self._now_s = now_s
        self._nonces: dict[bytes, int] = {}

    async def answer(self, body: bytes, authorization: bytes | None) -> ApprovalStep:
        """Take an answer from a signed callback.

        Raises:
            NotPermittedError: code `callback-refused`, one for every reason; or as ``Approvals.answer``.
            InputError: the signed body is not an answer.
        """
        self._verify(body, authorization)
        try:
            canonical.parse(body)
            wanted = msgspec.json.decode(body, type=CallbackAnswer)
        except (SealgateError, msgspec.DecodeError) as error:
            raise InputError("the callback is not an answer", hint="see the document of the interface") from error
        if wanted.principal not in self._principals:
            raise _refused()
        approval = require_uuid(wanted.id, "approval id")
        person = Identity(principal=wanted.principal, proof="signed_callback")
        return await self._approvals.answer(approval, person, wanted.reason, grant=wanted.decision == "grant")

    def _verify(self, body: bytes, authorization: bytes | None) -> None:
        match = _HEADER.fullmatch(authorization or b"")
        if self._key is None or match is None:
            raise _refused()
        timestamp, nonce = int(match[1]), match[2]
        expected = signature(self._key, timestamp, nonce.decode(), body)
        now_s = self._now_s()
        # Everything is looked at before anything is said: a wrong key learns nothing about times and nonces.
        genuine = hmac.compare_digest(expected.encode(), match[3])
        if not genuine or abs(now_s - timestamp) > WINDOW_S or nonce in self._nonces:
            raise _refused()
        if len(self._nonces) >= MAX_NONCES:
            self._nonces = {old: at for old, at in self._nonces.items() if at > now_s - 2 * WINDOW_S}
            if len(self._nonces) >= MAX_NONCES:
                raise _refused()
        self._nonces[nonce] = now_s


def _refused() -> NotPermittedError:
    return NotPermittedError(
        "the callback is not signed as configured", code="callback-refused", hint="see `[approvals] callback_key`"
    )
