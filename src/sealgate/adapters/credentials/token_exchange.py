"""OAuth 2.0 Token Exchange (RFC 8693): our token for the permitted action becomes one that a downstream service takes.

The subject token is our own, signed for the token endpoint alone: the authorization server checks it with our key set,
and decides by its claims (agent, tool, decision). So nobody keeps a long-lived token of an agent. ``revoke`` is RFC
7009; it needs the token itself, which only this process has, in memory: after a restart a token is left to expire, and
the record says so. An answer with a refresh token or a longer life than asked for is refused, and revoked.
"""

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from sealgate.adapters.credentials.tokens import TokenMaker
from sealgate.model.credentials import Result
from sealgate.model.errors import ConfigurationError, UnavailableError
from sealgate.ports.credentials import Ended, Order, Secret

_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
_ACCESS: Final = "urn:ietf:params:oauth:token-type:access_token"
_TIMEOUT_S: Final = 3.0
_MAX_BYTES: Final = 64 * 1024
_OK: Final = 200
_SLACK_S: Final = 1


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The authorization server. ``secret`` authenticates our client there (RFC 6749 section 2.3.1)."""

    token: str
    revocation: str
    client: str
    secret: Callable[[], bytes] = field(repr=False)
    certificates: ssl.SSLContext | None = field(default=None, repr=False)


class TokenExchangeBackend:
    """Exchanges our tokens (ports.credentials.CredentialBackend)."""

    kind: Final = "token_exchange"

    def __init__(
        self, endpoints: Endpoints, maker: TokenMaker, *, audiences: tuple[str, ...], scopes: tuple[str, ...]
    ) -> None:
        for url in (endpoints.token, endpoints.revocation):
            if url and not url.startswith(("https://", "http://127.0.0.1:", "http://[::1]:")):
                raise ConfigurationError(f"`{url[:120]}` would send tokens in the clear", hint="use https://")
        self.audiences = audiences
        self.scopes = scopes
        self._endpoints = endpoints
        self._maker = maker
        self._lock = threading.Lock()
        self._held: dict[str, tuple[str, int]] = {}
        self._client = httpx.Client(timeout=_TIMEOUT_S, verify=endpoints.certificates or True, follow_redirects=False)

    def issue(self, order: Order) -> Secret:
        """Exchange a token for this action."""
        subject = self._maker.sign(order, self._endpoints.token, order.scope, {})
        form = {
            "grant_type": _GRANT,
            "subject_token": subject,
            "subject_token_type": _JWT,
            "requested_token_type": _ACCESS,
            **({"audience": order.audience} if order.audience else {}),
            **({"scope": " ".join(order.scope)} if order.scope else {}),
        }
        answer = self._post(self._endpoints.token, form)
        given = _object(answer)
        token = given.get("access_token")
        if answer.status_code != _OK or not isinstance(token, str) or not token:
            code = str(given.get("error", answer.status_code))[:64]
            raise UnavailableError(f"the authorization server refused: {code}", hint="see its log")
        with self._lock:  # from here on it can be ended, whatever is wrong with it
            self._held[order.credential_id] = (token, order.expires_ms)
        wider = set(str(given.get("scope", "")).split()) - set(order.scope)
        life = given.get("expires_in")
        wanted_s = (order.expires_ms - order.issued_ms) // 1000
        if type(life) is not int or life > wanted_s + _SLACK_S or wider or "refresh_token" in given:
            raise UnavailableError(
                "the authorization server gave more than was asked for",
                hint="it must keep to `exp` of the subject token and to the scope, and give no refresh token",
            )
        return Secret({"access_token": token, "token_type": str(given.get("token_type", "Bearer"))[:64]})

    def revoke(self, ended: Ended) -> Result:
        """Revoke the token (RFC 7009) where we still have it."""
        if time.time() * 1000 >= ended.expires_ms:
            self._forget(ended.credential_id)
            return "revoked"
        with self._lock:
            held = self._held.get(ended.credential_id)
        if held is None or not self._endpoints.revocation:
            return "left_to_expire"
        answer = self._post(self._endpoints.revocation, {"token": held[0], "token_type_hint": "access_token"})
        if answer.status_code != _OK:
            raise UnavailableError(f"the authorization server refused to revoke: {answer.status_code}")
        self._forget(ended.credential_id)
        return "revoked"

    def live(self) -> list[str] | None:
        """OAuth has no list."""
        return None

    def close(self) -> None:
        """Close connections and forget tokens."""
        self._client.close()
        with self._lock:
            self._held.clear()

    def _forget(self, credential_id: str) -> None:
        with self._lock:
            self._held.pop(credential_id, None)

    def _post(self, url: str, form: dict[str, str]) -> httpx.Response:
        login = httpx.BasicAuth(self._endpoints.client, self._endpoints.secret().decode("utf-8", "replace"))
        try:
            return self._client.post(url, data=form, auth=login)
        except httpx.HTTPError as error:
            name = type(error).__name__
            raise UnavailableError(f"the authorization server cannot be reached: {name}") from None


def _object(answer: httpx.Response) -> dict[str, Any]:
    if len(answer.content) > _MAX_BYTES:
        return {}
    try:
        value = answer.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
