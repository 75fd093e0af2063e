"""Where a client is trusted to ask its person: that person's yes or no, handed to the authority as a signed answer.

An elicitation is answered by the agent's own client, so by itself it proves nothing (ADR 0177). The operator may say of
single callers that their client asks a person faithfully, and which person. The answer then goes to the authority as
that person's, by the signed callback that it takes from chat bots too: it counts there under the same rules, one of
which is that nobody decides what they asked for.
"""

import logging
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx
import orjson

from sealgate.encoding.callback_signature import MIN_KEY_BYTES, signature
from sealgate.gateway.approvals import Ticket
from sealgate.model.errors import ConfigurationError
from sealgate.sdk.settings import Settings

_log = logging.getLogger("sealgate.gateway")

_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Consent:
    """Brings answers to the authority.

    Args:
        people: principal of a caller → the person its client asks.
        key: the authority's `approvals.callback_key`.
        http: reaches the authority.
    """

    people: Mapping[str, str]
    key: bytes
    http: httpx.AsyncClient

    def __post_init__(self) -> None:
        if len(self.key) < MIN_KEY_BYTES:
            raise ConfigurationError(f"`consent.key` has fewer than {MIN_KEY_BYTES} bytes")

    def person(self, principal: str) -> str | None:
        """Return whom the client of a caller asks, or None where it is not trusted to ask anybody."""
        return self.people.get(principal)

    async def answer(self, ticket: Ticket, person: str, *, grant: bool) -> str:
        """Hand in an answer; return why it does not count, or an empty text where it does."""
        decision = "grant" if grant else "refuse"
        body = orjson.dumps(
            {"id": ticket.id, "decision": decision, "principal": person, "reason": "answered in the client"}
        )
        now, nonce = int(time.time()), os.urandom(16).hex()
        proof = f"SealgateHmac t={now},n={nonce},v1={signature(self.key, now, nonce, body)}"
        head = {"authorization": proof, "content-type": "application/json"}
        try:
            answer = await self.http.post("/v1/approvals/callback", content=body, headers=head)
        except httpx.HTTPError as error:
            _log.error("an answer did not reach the authority: %s", type(error).__name__)  # one line is enough here
            return "the authority cannot be reached"
        return "" if answer.status_code == httpx.codes.OK else _reason(answer)


def _reason(answer: httpx.Response) -> str:
    try:
        said = orjson.loads(answer.content)
        return str(said.get("detail") or said.get("title"))[:300]
    except (orjson.JSONDecodeError, AttributeError):
        return f"status {answer.status_code}"


def client(settings: Settings) -> httpx.AsyncClient:
    """Return an HTTP client for the authority that the settings name."""
    if settings.url is not None:
        context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
        return httpx.AsyncClient(base_url=settings.url, verify=context, trust_env=False, timeout=_TIMEOUT_S)
    transport = httpx.AsyncHTTPTransport(uds=str(settings.socket_path))
    return httpx.AsyncClient(base_url="http://sealgate", transport=transport, trust_env=False, timeout=_TIMEOUT_S)
